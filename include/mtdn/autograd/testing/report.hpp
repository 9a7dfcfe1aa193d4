#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace mtdn::testing {

/// What a check of a user's type found.
struct Report {
    std::string subject;
    bool passed = true;
    std::vector<std::string> failures;

    void fail(std::string message) {
        passed = false;
        failures.push_back(std::move(message));
    }
};

/// One line if it passed, else one line for each failure.
inline std::ostream& operator<<(std::ostream& out, const Report& report) {
    if (report.passed) return out << report.subject << ": passed";
    out << report.subject << ": failed";
    for (const auto& failure : report.failures) out << "\n  - " << failure;
    return out;
}

}  // namespace mtdn::testing
