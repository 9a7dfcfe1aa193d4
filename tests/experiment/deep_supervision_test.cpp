#include "backbone/tiny_net.hpp"
#include "experiment/films.hpp"
#include "support/catch.hpp"
#include "support/scratch.hpp"

#include <mtdn/experiment/checkpoint.hpp>
#include <mtdn/experiment/train.hpp>
#include <mtdn/experiment/weights.hpp>

using namespace mtdn;
using namespace mtdn::testing;
using Catch::Matchers::Contains;

namespace {

TrainOptions supervised(double weight, Index epochs = 1) {
    auto options = quick(epochs);
    options.epoch_pairs = 20;
    options.deep_supervision = weight;
    return options;
}

bool is_auxiliary(const std::string& path) { return path.starts_with("auxiliary."); }

// All but the auxiliary heads.
std::vector<double> network_bits(const SmallModel& model) {
    std::vector<double> all;
    for (const auto& [name, tensor] : state_of(model))
        if (!is_auxiliary(name)) all.insert(all.end(), tensor.values.begin(), tensor.values.end());
    return all;
}

// 1, whatever the logits: no gradient.
LossFactory<Cpu> ones() {
    return [](Cpu& cpu, std::span<const double>) -> AnyLoss<Cpu> {
        return [&cpu](const Variable<Cpu>& logits, const Tensor<Cpu, std::uint8_t>& labels) {
            Tensor<Cpu> one(cpu, vector_shape(1));
            cpu.fill(one, 1);
            return combine(0, FocalLoss<Cpu>(cpu)(logits, labels), 1, Variable<Cpu>(one));
        };
    };
}

}  // namespace

TEST_CASE("level l of the decoder counts weight / 2^l times the tasks' own heads") {
    Cpu cpu;
    Random random{7};
    SmallModel model{UNet<Cpu>{cpu, {.in_channels = 1, .width = 4, .depth = 3}, random}, Concatenate{},
                     small_film().tasks(), random};
    for (const double weight : {0.0, 0.5, 1.0}) {
        auto options = supervised(weight);
        options.task_weights = {{small_film().tasks()[0], 3}};
        Trainer<SmallModel> trainer(model, small_film(), options, ones());
        trainer.step();
        const auto position = trainer.position();
        CHECK(position.loss_sum / static_cast<double>(position.loss_pairs) ==
              Approx((3.0 + 1.0) * (1 + weight * (0.5 + 0.25))).epsilon(1e-6));
    }
}

TEST_CASE("switched off, heads that are there change nothing; switched on, the network learns otherwise") {
    Cpu cpu;
    auto plain = small_model(cpu), idle = small_model(cpu), deep = small_model(cpu);
    Random random{9};
    idle.add_auxiliary_heads(random);
    train(plain, small_film(), supervised(0));
    train(idle, small_film(), supervised(0));
    train(deep, small_film(), supervised(0.5));
    CHECK((network_bits(idle) == bits(plain)));
    CHECK((network_bits(deep) != bits(plain)));
    CHECK(bits(deep).size() > bits(plain).size());
    CHECK_THROWS_WITH(train(deep, small_film(), supervised(-1)), Contains("negative"));
}

TEST_CASE("weights files leave auxiliary heads out, and load with and without them") {
    const Scratch scratch;
    Cpu cpu;
    auto deep = small_model(cpu);
    train(deep, small_film(), supervised(0.5));
    save_weights(scratch / "deep.safetensors", deep);

    auto plain = small_model(cpu, 8);
    save_weights(scratch / "plain.safetensors", plain);
    const SafeTensors with(scratch / "deep.safetensors"), without(scratch / "plain.safetensors");
    REQUIRE(with.tensors().size() == without.tensors().size());
    CHECK(with.metadata() == without.metadata());
    CHECK(load_weights(scratch / "deep.safetensors", plain).warnings.empty());
    CHECK((bits(plain) == network_bits(deep)));
    const auto& frames = small_film().test()[0].frames;
    CHECK((segment(plain, frames, BackwardFusion{}) == segment(deep, frames, BackwardFusion{})));

    const auto trained = bits(deep);
    for (const auto& [path, parameter] : mtdn::detail::parameters_of<Cpu>(deep))
        if (!is_auxiliary(path)) cpu.fill(parameter->value, 0.5);
    CHECK(load_weights(scratch / "deep.safetensors", deep).warnings.empty());
    CHECK((bits(deep) == trained));
}

TEST_CASE("single frames are supervised deeply, too") {
    Cpu cpu;
    Random random{7};
    SingleFrame model{UNet<Cpu>{cpu, {.in_channels = 1, .width = 4, .depth = 2}, random}, small_film().tasks(), random};
    const auto has_moved = [&, before = bits(model)] { return bits(model).size() > before.size(); };
    train(model, small_film(), supervised(0.5));
    CHECK(has_moved());
}

TEST_CASE("a backbone that gives no coarser levels cannot be supervised there, and a shallow one has none") {
    Cpu cpu;
    Random random{7};
    Siamese tiny{TinyNet<Cpu>{cpu, 1, random}, Concatenate{}, small_film().tasks(), random};
    CHECK_THROWS_WITH(train(tiny, small_film(), supervised(0.5)),
                      Contains("deep_supervision is 0.5") && Contains("PyramidDecoder"));
    SmallModel shallow{UNet<Cpu>{cpu, {.in_channels = 1, .width = 4, .depth = 1}, random}, Concatenate{},
                       small_film().tasks(), random};
    CHECK_THROWS_WITH(train(shallow, small_film(), supervised(0.5)), Contains("two halvings"));
}
