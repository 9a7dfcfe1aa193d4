#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/core/arrays.hpp>

#include <map>
#include <sstream>

#include "parity/training.hpp"
#include "support/catch.hpp"
#include "support/project.hpp"

// Gradients, losses and twenty AdamW steps of a small Siamese model, as PyTorch computed them (make_golden.py).
namespace {

using namespace mtdn;
using R = Reference<double>;

// Twice the same arithmetic in double precision: rounding grows over layers and steps to far less than this.
constexpr double tolerance = 1e-7;

/// Random-looking 32-bit numbers, a function of name and index alone; make_golden.py has the same.
std::vector<std::uint32_t> words(const std::string& name, std::size_t count) {
    std::uint32_t seed = 2166136261;
    for (const char letter : name) seed = (seed ^ static_cast<unsigned char>(letter)) * 16777619;
    std::vector<std::uint32_t> result(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t x = static_cast<std::uint32_t>(i + 1) * 0x9E3779B1u + seed;
        x = (x ^ x >> 15) * 0x2C1B3CD1u;
        x = (x ^ x >> 12) * 0x297A2D39u;
        result[i] = x ^ x >> 15;
    }
    return result;
}

/// Uniform in [−1, 1).
std::vector<double> formula(const std::string& name, std::size_t count) {
    std::vector<double> values;
    for (const auto word : words(name, count)) values.push_back(static_cast<double>(word) / 2147483648.0 - 1);
    return values;
}

void set_first_state(StateDictionary& state, const PublishedNames& names) {
    for (auto& [path, tensor] : state) {
        const auto name = names.published(path);
        if (tensor.counter) continue;
        tensor.values = formula(name, tensor.values.size());
        const auto& s = tensor.shape;
        for (auto& u : tensor.values) {
            if (s.size() == 4)
                u /= std::sqrt(static_cast<double>(s[1] * s[2] * s[3]));
            else if (name.ends_with("running_mean") || name.ends_with("bias"))
                u /= 4;
            else
                u = 1 + u / 4;
        }
    }
}

struct Golden {
    std::map<std::string, std::vector<double>> gradient, state;
    std::vector<double> losses;
};

Golden read_golden() {
    Golden golden;
    for (const auto& line :
         mtdn::testing::read_lines(mtdn::testing::project_root() / "tests/parity/golden/siamese.txt")) {
        std::istringstream words_of(line);
        std::string kind, name;
        words_of >> kind >> name;
        std::vector<double> numbers;
        for (double number = 0; words_of >> number;) numbers.push_back(number);
        if (kind == "loss") golden.losses.push_back(numbers.at(0));
        if (kind == "gradient") golden.gradient[name] = numbers;
        if (kind == "state") golden.state[name] = numbers;
    }
    return golden;
}

/// Compares a tensor's norm, its product with a fixed vector and four elements, each to the tolerance of the norm.
void check(const std::string& name, const std::vector<double>& ours, const std::vector<double>& theirs) {
    INFO(name);
    REQUIRE(theirs.size() == 6);
    const auto vector = formula("dot " + name, ours.size());
    double squares = 0, dot = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        squares += ours[i] * ours[i];
        dot += ours[i] * vector[i];
    }
    const double margin = tolerance * theirs[0];
    CHECK(std::abs(std::sqrt(squares) - theirs[0]) <= margin);
    CHECK(std::abs(dot - theirs[1]) <= margin);
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(ours[ours.size() * i / 4] - theirs[2 + i]) <= margin);
}

}  // namespace

TEST_CASE("gradients and twenty AdamW steps are PyTorch's") {
    R r;
    Random random;
    Siamese model{UNet{r, {.in_channels = 2, .width = 3}, random}, Concatenate{}, {"A1", "A2"}, random};
    auto state = state_of(model);
    set_first_state(state, PublishedNames::siamese(model.tasks()));
    load_state(model, state, "formula");

    constexpr Index pairs = 2, size = 32;
    Tensor<R> frames(r, {2 * pairs, size, size, 2});
    upload<R, double>(formula("frames", static_cast<std::size_t>(frames.shape().size())), frames);
    std::vector<mtdn::testing::TaskTruth<R>> truth;
    for (const auto& weights : {std::vector<double>{1.25, 9.0, 7.5, 3.25}, std::vector<double>{1.0, 30.0, 26.0, 8.0}}) {
        truth.push_back({Tensor<R, std::uint8_t>(r, {pairs, size, size, 1}), weights});
        std::vector<std::uint8_t> labels;
        for (const auto word : words("labels " + model.tasks()[truth.size() - 1], pairs * size * size)) {
            const auto drawn = word >> 16;
            labels.push_back(drawn % 16 == 0 ? ignore_label : static_cast<std::uint8_t>(drawn / 16 % 4));
        }
        upload<R, std::uint8_t>(labels, truth.back().labels);
    }
    const auto result = mtdn::testing::train_on_one_batch(model, frames, truth, 20, 1e-3);

    const auto golden = read_golden();
    REQUIRE(golden.losses.size() == 20);
    for (std::size_t i = 0; i < 20; ++i) CHECK(result.losses[i] == Approx(golden.losses[i]).epsilon(tolerance));
    CHECK(result.losses.back() < result.losses.front());
    REQUIRE(result.first_gradients.size() == golden.gradient.size());
    for (const auto& [name, tensor] : result.first_gradients) check(name, tensor.values, golden.gradient.at(name));
    std::size_t compared = 0;
    for (const auto& [name, tensor] : result.state) {
        if (tensor.counter) {
            CHECK(tensor.values.front() == (name.starts_with("conv_layer") ? 20 : 40));  // one group, two groups
        } else {
            check(name, tensor.values, golden.state.at(name));
            ++compared;
        }
    }
    CHECK(compared == golden.state.size());
}
