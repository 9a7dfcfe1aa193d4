#include <filesystem>
#include <fstream>

#include "experiment/films.hpp"
#include "support/catch.hpp"
#include "support/scratch.hpp"

#include <mtdn/experiment/checkpoint.hpp>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

// `steps` steps, interrupted by a checkpoint and a fresh start after each number in `stops`.
std::vector<double> trained(const std::filesystem::path& file, Index steps, std::vector<Index> stops, double ema = 0,
                            double deep_supervision = 0) {
    stops.push_back(steps);
    Index done = 0;
    std::vector<double> result;
    for (std::size_t life = 0; life < stops.size(); ++life) {
        Cpu cpu;
        auto model = small_model(cpu, 7 + life);  // other weights, which the checkpoint must replace
        auto options = quick(3);
        options.ema = ema;
        options.deep_supervision = deep_supervision;
        Trainer<SmallModel> trainer(model, small_film(), options);
        if (life > 0) load_checkpoint(file, trainer);
        for (; done < stops[life]; ++done) trainer.step();
        save_checkpoint(file, trainer);
        if (done == steps) {
            result = bits(model);
            {
                const auto averaged = trainer.validated_weights();
                for (const double value : bits(model)) result.push_back(value);
            }
            trainer.settle();
            for (const double value : bits(model)) result.push_back(value);
            for (const auto& record : trainer.position().curve) {
                result.push_back(record.loss);
                result.push_back(record.validation);
            }
        }
    }
    return result;
}

// A run of one step, and its checkpoint.
struct OneStep {
    Scratch scratch;
    std::filesystem::path file = scratch / "checkpoint.safetensors";
    Cpu cpu;
    SmallModel model = small_model(cpu);
    Trainer<SmallModel> begun{model, small_film(), quick(3)};

    OneStep() {
        begun.step();
        save_checkpoint(file, begun);
    }
};

}  // namespace

TEST_CASE("a run taken up from a checkpoint ends with the same bits, in the middle of an epoch and at its end") {
    const Scratch scratch;
    const auto file = scratch / "checkpoint.safetensors";
    const Index epoch = (small_film().train().size() * 16 + 4) / 5;
    const auto whole = trained(file, 2 * epoch + 1, {});
    CHECK((trained(file, 2 * epoch + 1, {3}) == whole));
    CHECK((trained(file, 2 * epoch + 1, {2, epoch, epoch + 1, 2 * epoch}) == whole));
    const auto averaged = trained(file, 2 * epoch + 1, {}, 0.9);
    CHECK((averaged != whole));
    CHECK((trained(file, 2 * epoch + 1, {2, epoch, epoch + 1, 2 * epoch}, 0.9) == averaged));
    const auto supervised = trained(file, 2 * epoch + 1, {}, 0.9, 0.5);
    CHECK((supervised.size() > averaged.size()));
    CHECK((trained(file, 2 * epoch + 1, {2, epoch, epoch + 1, 2 * epoch}, 0.9, 0.5) == supervised));
}

TEST_CASE_METHOD(OneStep, "a run is not taken up with other options, and nothing is changed by the attempt") {
    auto fresh = small_model(cpu, 9);
    auto options = quick(3);
    options.batch = 4;
    Trainer<SmallModel> trainer(fresh, small_film(), options);
    const auto before = bits(fresh);
    CHECK_THROWS_WITH(load_checkpoint(file, trainer), Catch::Matchers::Contains("batch = 5"));
    CHECK((bits(fresh) == before));

    options = quick(3);
    options.deep_supervision = 0.5;
    Trainer<SmallModel> supervised(fresh, small_film(), options);
    CHECK_THROWS_WITH(load_checkpoint(file, supervised), Catch::Matchers::Contains("deep_supervision = 0"));
    save_checkpoint(file, supervised);
    auto plain = small_model(cpu);
    Trainer<SmallModel> unsupervised(plain, small_film(), quick(3));
    CHECK_THROWS_WITH(load_checkpoint(file, unsupervised), Catch::Matchers::Contains("deep_supervision = 0.5"));
}

TEST_CASE_METHOD(OneStep, "a checkpoint of before there was an average of weights is taken up by a run without one, "
                          "and by no other") {
    const auto after = bits(model);
    std::string bytes;
    {
        std::ifstream in(file, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const std::string key = "\\\"ema\\\":0.0,";  // as it stands in JSON within JSON; spaces in its place
    const auto place = bytes.find(key);
    REQUIRE(place != std::string::npos);
    bytes.replace(place, key.size(), std::string(key.size(), ' '));
    std::ofstream(file, std::ios::binary) << bytes;

    auto fresh = small_model(cpu, 9);
    Trainer<SmallModel> again(fresh, small_film(), quick(3));
    load_checkpoint(file, again);
    CHECK((bits(fresh) == after));
    auto options = quick(3);
    options.ema = 0.9;
    Trainer<SmallModel> averaging(fresh, small_film(), options);
    CHECK_THROWS_WITH(load_checkpoint(file, averaging), Catch::Matchers::Contains("ema = 0.0"));
}

TEST_CASE_METHOD(OneStep, "a damaged checkpoint is an error that names the file") {
    const auto size = std::filesystem::file_size(file);
    std::filesystem::resize_file(file, size - 8);
    CHECK_THROWS_WITH(load_checkpoint(file, begun), Catch::Matchers::Contains(file.string()));
    std::ofstream(file, std::ios::trunc) << "";
    CHECK_THROWS_AS(load_checkpoint(file, begun), IoError);
}
