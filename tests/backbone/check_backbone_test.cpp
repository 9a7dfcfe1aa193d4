#include <sstream>
#include <string>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backbone/testing/check_backbone.hpp>
#include <mtdn/nn/conv_block.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

// Each law, broken once: the check must find it, and find it alone.
namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

enum class Fault {
    none,
    wrong_channels,
    wrong_size,
    wrong_multiple,
    same_names,
    other_names,
    mixed_frames,
    changed_state,
    kept_features,
    wrong_gradient,
    lost_gradient
};

/// A convolution, a norm, and a second convolution: right but for the fault.
struct FaultyNet {
    using Backend = Exact;

    Fault fault;
    Conv2d<Exact> first, last;
    BatchNorm2d<Exact> norm;
    Parameter<Exact> gain;
    mutable X kept{};
    mutable int visits = 0;

    FaultyNet(Exact& backend, Fault f, Random& random)
        : fault(f),
          first(backend, {.in = 1, .out = 2}, random),
          last(backend, {.in = 2, .out = 2}, random),
          norm(backend, 2),
          gain(backend, vector_shape(1), ParameterKind::vector) {
        backend.fill(gain.value, 1.5);
    }

    X encode(const X& frames, Pass<Exact>& pass) const {
        X x = norm(first(frames, pass), pass, Activation::silu);
        if (fault == Fault::wrong_multiple) return upsample2(max_pool2(x));
        if (fault == Fault::mixed_frames && x.shape().frames == 2)
            return add(x, gather_frames<Exact>(x, std::vector<Index>{1, 0}));
        if (fault == Fault::changed_state) frames.backend().fill(norm.running().mean, 0.25);
        if (fault == Fault::kept_features) {  // what the first call left behind goes into the second
            const X before = kept.empty() || kept.tape() != pass.tape() || kept.recording() != tape_number(pass) ||
                                     kept.shape() != x.shape()
                                 ? x
                                 : kept;
            kept = x;
            if (pass.tape()) return add(x, before);
        }
        return x;
    }
    X decode(const X& x, Pass<Exact>& pass) const {
        const X y = last(x, pass);
        if (fault == Fault::wrong_size) return max_pool2(y);
        const double factor = fault == Fault::wrong_gradient ? 1.01 : 1;
        const Values value = value_of(y);
        Values result(y.backend(), y.shape());
        const double g = download(gain.value).front();
        y.backend().combine(g, value, 0, value, result);
        return record_result<Exact>(
            pass.tape(), y.needs_gradient() || gain.wants_gradient(), result,
            [=, lost = fault == Fault::lost_gradient, p = gain](Tape<Exact>& tape, const Values& dy) {
                Values dx(tape.backend(), dy.shape());
                tape.backend().combine(factor * g, dy, 0, dy, dx);
                add_gradient(tape, y, dx);
                double sum = 0;
                const auto v = download(value), d = download(dy);
                for (std::size_t i = 0; i < v.size(); ++i) sum += v[i] * d[i];
                if (p.wants_gradient() && !lost) p.gradient.data()[0] += sum;
            });
    }
    Index feature_channels() const { return fault == Fault::wrong_channels ? 3 : 2; }
    Index size_multiple() const { return fault == Fault::wrong_size ? 2 : 1; }

    static void visit(auto& self, auto&& visitor) {
        const bool renamed = self.fault == Fault::other_names && ++self.visits % 2 == 0;
        visitor(renamed ? "second" : "first", self.first);
        visitor("norm", self.norm);
        visitor(self.fault == Fault::same_names ? "first" : "last", self.last);
        visitor("gain", self.gain);
    }

private:
    static std::uint64_t tape_number(const Pass<Exact>& pass) { return pass.tape() ? pass.tape()->recording() : 0; }
};
static_assert(EncoderDecoder<FaultyNet, Exact>);

Report check(Fault fault) {
    Exact exact;
    Random random{3};
    FaultyNet net{exact, fault, random};
    return check_backbone(net, {.in_channels = 1});
}

}  // namespace

TEST_CASE("a backbone without a fault passes, and is as before") {
    Exact exact;
    Random random{3};
    FaultyNet net{exact, Fault::none, random};
    const auto before = state_of(net);
    const Report report = check_backbone(net, {.in_channels = 1});
    INFO(report);
    CHECK(report.passed);
    const auto after = state_of(net);
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i].second.values == before[i].second.values);
    CHECK(net.gain.gradient.empty());
    std::ostringstream text;
    text << report;
    CHECK(text.str() == "check_backbone: passed");
}

TEST_CASE("every broken law is found and named") {
    struct Row {
        Fault fault;
        std::vector<std::string> failures;  // parts of the messages, one each
    };
    const std::string size_1 = "sizes: frames ";
    const std::vector<Row> rows{
        {Fault::wrong_channels,
         {"sizes: frames (1, 1, 1, 1) give a feature map (1, 1, 1, 2), expected (1, 1, 1, 3)", "(2, 2, 3, 3)",
          "(1, 5, 1, 3)"}},
        {Fault::wrong_size, {"(1, 1, 1, 2), expected (1, 2, 2, 2)", "(2, 4, 6, 2)", "(1, 10, 2, 2)"}},
        {Fault::wrong_multiple, {"sizes: Window: a side of 1", "sizes: frames (2, 2, 3, 1)", "sizes: Window"}},
        {Fault::same_names, {"names: \"first.weight\" names two parts", "names: \"first.bias\" names two parts"}},
        {Fault::other_names, {"names: `visit` gives other names"}},
        {Fault::mixed_frames, {"independence of frames: in evaluation two frames in one batch differ from each alone"}},
        {Fault::changed_state, {"constancy: a forward pass changes \"norm.running_mean\""}},
        {Fault::lost_gradient, {"gradients: gradient by gain (1, 1, 1, 1)"}},
    };
    for (const auto& row : rows) {
        const Report report = check(row.fault);
        INFO("expected: " << row.failures.front() << '\n' << report);
        CHECK_FALSE(report.passed);
        REQUIRE(report.failures.size() == row.failures.size());
        for (std::size_t i = 0; i < row.failures.size(); ++i)
            CHECK(report.failures[i].find(row.failures[i]) != std::string::npos);
    }
}

TEST_CASE("features kept from call to call are found as a second call that gives others") {
    const Report report = check(Fault::kept_features);
    INFO(report);
    bool constancy = false, calls = false;
    for (const auto& failure : report.failures) {
        constancy = constancy || failure.find("constancy: the same frames again") == 0;
        calls = calls || failure.find("independence of calls: gradients of two calls on one tape differ") == 0;
    }
    CHECK(calls);
    CHECK_FALSE(constancy);  // the same frames give what was kept of them: only the way back tells
}

TEST_CASE("a wrong way back is found in all parameters before it, and none behind") {
    const Report report = check(Fault::wrong_gradient);
    INFO(report);
    std::string all;
    for (const auto& failure : report.failures) all += failure + '\n';
    for (const std::string name : {"first.weight", "norm.weight", "norm.bias", "last.weight", "last.bias", "input 0"})
        CHECK(all.find("gradients: gradient by " + name) != std::string::npos);
    CHECK(all.find("gain") == std::string::npos);
}
