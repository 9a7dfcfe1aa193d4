#include <mtdn/io/lock.hpp>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

TEST_CASE("a lock is held by one at a time, and gone with its object") {
    const Scratch scratch;
    std::optional<FileLock> first(std::in_place, scratch / "lock");
    CHECK_FALSE(FileLock::try_lock(scratch / "lock"));
    CHECK(FileLock::try_lock(scratch / "another"));
    first.reset();
    const auto second = FileLock::try_lock(scratch / "lock");
    REQUIRE(second);
    CHECK_FALSE(FileLock::try_lock(scratch / "lock"));
    CHECK(message_of<IoError>([&] { FileLock lock(scratch / "none" / "lock"); }).find("open failed: No such file") !=
          std::string::npos);
}

TEST_CASE("the lock of a process that is killed is free") {
    const Scratch scratch;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const FileLock lock(scratch / "lock");
        (void)!::write(lock.descriptor(), "x", 1);
        while (true) ::pause();
    }
    while (!std::filesystem::exists(scratch / "lock") || std::filesystem::file_size(scratch / "lock") == 0)
        ::usleep(1000);
    CHECK_FALSE(FileLock::try_lock(scratch / "lock"));
    REQUIRE(::kill(child, SIGKILL) == 0);
    FileLock lock(scratch / "lock");  // waits until the system has taken it from the dead
    ::waitpid(child, nullptr, 0);
    CHECK_FALSE(FileLock::try_lock(scratch / "lock"));
}
