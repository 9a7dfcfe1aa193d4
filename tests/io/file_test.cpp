#include <sys/resource.h>
#include <mtdn/io/file.hpp>

#include <csignal>
#include <functional>
#include <mtdn/core/random.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/npy.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/io/safetensors_writer.hpp>
#include <mtdn/io/tiff.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

namespace {

/// No file can grow beyond the given size while this lives: what a full disk does, but anywhere.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) {
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

}  // namespace

TEST_CASE("what is written is read back, and replaces what was there") {
    const Scratch scratch;
    for (const std::string text : {"", "first", "second, longer"}) {
        write_file(scratch / "a", text);
        CHECK(read_text(scratch / "a") == text);
        CHECK(scratch.count() == 1);
    }
}

TEST_CASE("a file that is not committed never was") {
    const Scratch scratch;
    write_file(scratch / "a", "old");
    {
        AtomicFile file(scratch / "a");
        file.write("new");
        CHECK(read_text(scratch / "a") == "old");
    }
    CHECK(read_text(scratch / "a") == "old");
    CHECK(scratch.count() == 1);
    AtomicFile file(scratch / "a");
    file.commit();
    CHECK(read_text(scratch / "a").empty());
    CHECK(message_of<IoError>([&] { file.commit(); }).find("committed already") != std::string::npos);
}

TEST_CASE("a symbolic link is followed, not replaced") {
    const Scratch scratch;
    write_file(scratch / "real", "old");
    std::filesystem::create_symlink("real", scratch / "link");
    write_file(scratch / "link", "new");
    CHECK(std::filesystem::is_symlink(scratch / "link"));
    CHECK(read_text(scratch / "real") == "new");
}

TEST_CASE("errors name the file, the operation and the system's reason") {
    const Scratch scratch;
    const auto missing = scratch / "no/such";
    CHECK(message_of<IoError>([&] { read_file(missing); }) ==
          missing.string() + ": open failed: No such file or directory");
    CHECK(message_of<IoError>([&] { write_file(missing, "x"); }) ==
          missing.string() + ": create failed: No such file or directory");
    CHECK(message_of<IoError>([&] { read_file(scratch.folder()); }) ==
          scratch.folder().string() + ": read failed: Is a directory");
    CHECK(message_of<IoError>([&] { write_file(scratch.folder(), "x"); }).find("not a regular file") !=
          std::string::npos);
    CHECK(message_of<IoError>([&] { write_file("/dev/null", "x"); }).find("not a regular file") != std::string::npos);
    CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("a full disk leaves the old file and nothing half-written") {
    const Scratch scratch;
    // Noise, so that no compression brings it below the limit.
    auto noise = make_array<std::uint8_t>(3, 200, 200);
    Random random{1};
    for (auto& value : noise) value = static_cast<std::uint8_t>(random());
    auto picture = make_array<std::uint8_t>(200, 200);
    std::copy(noise.begin(), noise.begin() + 40000, picture.begin());
    CsvTable table{{"a"}, std::vector<std::vector<std::string>>(2000, {"1234567890"})};
    const std::vector<float> values(10000, 1.0f);
    SafeTensorsWriter tensors;
    tensors.add<float>("a", {10000}, values);

    const std::vector<std::pair<std::string, std::function<void(const std::filesystem::path&)>>> writers{
        {"plain", [&](auto& path) { write_file(path, std::string(10000, 'x')); }},
        {"png", [&](auto& path) { write_png(path, picture); }},
        {"tiff", [&](auto& path) { write_tiff(path, noise); }},
        {"npy", [&](auto& path) { write_npy(path, picture); }},
        {"csv", [&](auto& path) { write_csv(path, table); }},
        {"safetensors", [&](auto& path) { tensors.write(path); }},
    };
    for (const auto& [name, write] : writers) {
        INFO(name);
        const auto path = scratch / name;
        write_file(path, "old");
        const auto before = scratch.count();
        std::string message;
        {
            const FullDisk full(4096);
            message = message_of<IoError>([&, &call = write] { call(path); });
        }
        CHECK(message.find(path.string()) == 0);
        CHECK(message.find("write failed: File too large") != std::string::npos);
        CHECK(read_text(path) == "old");
        CHECK(scratch.count() == before);
        write(path);
        CHECK(read_text(path) != "old");
        CHECK(scratch.count() == before);
    }
}

TEST_CASE("what killed writers have left is removed, and nothing else") {
    const Scratch scratch;
    for (const std::string name : {"a.json", "a.json.17-0.tmp", "b.safetensors.18-3.tmp"}) scratch.put(name, "x");
    remove_temporary_files(scratch.folder());
    CHECK(scratch.count() == 1);
    CHECK(std::filesystem::exists(scratch / "a.json"));
    remove_temporary_files(scratch / "nowhere");
}
