#include <mtdn/core/communicator.hpp>
#include <mtdn/core/testing/check_communicator.hpp>
#include <mtdn/core/testing/thread_ranks.hpp>

#include <atomic>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::testing;

TEST_CASE("one process on its own obeys the laws") {
    Alone alone;
    CHECK(check_communicator(alone, 9) == "");
    AnyCommunicator any;
    CHECK(check_communicator(any, 9) == "");
    CHECK(any.size() == 1);
}

TEST_CASE("threads as ranks obey the laws, by themselves and behind the holder") {
    for (const int size : {1, 2, 5}) {
        std::vector<std::string> wrong(static_cast<std::size_t>(2 * size));
        run_ranks(size, [&](ThreadCommunicator ranks) {
            AnyCommunicator any = ranks;
            wrong[static_cast<std::size_t>(2 * ranks.rank())] = check_communicator(ranks, 9);
            wrong[static_cast<std::size_t>(2 * ranks.rank() + 1)] = check_communicator(any, 8);
        });
        CHECK((wrong == std::vector<std::string>(wrong.size())));
    }
}

TEST_CASE("the check sees a communicator that numbers its ranks in another order") {
    struct Backwards : ThreadCommunicator {
        explicit Backwards(const ThreadCommunicator& ranks) : ThreadCommunicator(ranks) {}
        int rank() const { return size() - 1 - ThreadCommunicator::rank(); }
    };
    std::vector<std::string> wrong(3);
    run_ranks(3, [&](ThreadCommunicator ranks) {
        Backwards backwards(ranks);
        wrong[static_cast<std::size_t>(ranks.rank())] = check_communicator(backwards, 9);
    });
    CHECK(wrong[0] == "broadcast does not give the values of rank 0");
}

TEST_CASE("a rank that fails ends the others at their next exchange, and its error is the one that is seen") {
    std::atomic<int> stopped = 0;
    CHECK_THROWS_WITH(run_ranks(3,
                                [&](ThreadCommunicator ranks) {
                                    if (ranks.rank() == 1) fail<DataError>("rank 1 cannot read");
                                    try {
                                        ranks.barrier();
                                    } catch (const Error& error) {
                                        stopped += std::string(error.what()).find("rank 1") != std::string::npos;
                                        throw;
                                    }
                                }),
                      "rank 1 cannot read");
    CHECK(stopped == 2);
}
