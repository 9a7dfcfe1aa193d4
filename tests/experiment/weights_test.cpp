#include <mtdn/backend/reference.hpp>
#include <mtdn/experiment/weights.hpp>

#include <set>

#include "support/catch.hpp"
#include "support/scratch.hpp"

// What is saved is loaded again, bit for bit, under names that PyTorch knows; and what does not fit is said by name.
namespace {

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;
using R = Reference<float>;
using Catch::Matchers::Contains;

Siamese<UNet<R>> small_siamese(R& r, std::uint64_t seed, std::vector<std::string> tasks = {"A1", "A2"}, Index in = 1) {
    Random random(seed);
    return {UNet{r, {.in_channels = in, .width = 2, .depth = 2}, random}, Concatenate{}, std::move(tasks), random};
}

SingleFrame<UNet<R>> small_single(R& r, std::uint64_t seed, std::vector<std::string> tasks = {"A1"}) {
    Random random(seed);
    return {UNet{r, {.in_channels = 1, .width = 2, .depth = 2}, random}, std::move(tasks), random};
}

bool same(const StateDictionary& a, const StateDictionary& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i].first != b[i].first || a[i].second.shape != b[i].second.shape ||
            a[i].second.values != b[i].second.values)
            return false;
    return true;
}

/// A file again, each tensor as `change` leaves it (name, shape, values) or dropped where that says false; metadata
/// only where asked for.
template <class Change>
void rewrite(const std::filesystem::path& from, const std::filesystem::path& to, bool metadata, Change&& change) {
    const SafeTensors file(from);
    SafeTensorsWriter writer;
    for (const auto& tensor : file.tensors()) {
        if (tensor.dtype == "I64") continue;  // a counter may be missing
        std::string name = tensor.name;
        auto shape = tensor.shape;
        auto values = file.values<float>(name);
        if (change(name, shape, values)) writer.add(name, shape, std::span<const float>(values));
    }
    if (metadata)
        for (const auto& [key, value] : file.metadata()) writer.set_metadata(key, value);
    writer.write(to);
}

const auto as_is = [](std::string&, std::vector<Index>&, std::vector<float>&) { return true; };

}  // namespace

TEST_CASE("published names and visit paths are each other's inverse") {
    struct Row {
        std::string path, published;
    };
    const std::vector<Row> siamese{
        {"backbone.encoder1.conv1.weight", "encoder1_1.enc1conv1.weight"},
        {"backbone.encoder4.norm2.running_var", "encoder1_4.enc4norm2.running_var"},
        {"backbone.encoder10.conv1.weight", "encoder1_10.enc10conv1.weight"},
        {"backbone.bottleneck.conv1.weight", "bottleneck_1.bottleneckconv1.weight"},
        {"backbone.bottleneck.norm2.num_batches_tracked", "bottleneck_1.bottlenecknorm2.num_batches_tracked"},
        {"backbone.up4.bias", "upconv4.bias"},
        {"backbone.decoder2.conv2.weight", "decoder2.dec2conv2.weight"},
        {"heads.A1.0.weight", "conv_layer1.0.weight"},
        {"heads.A2.12.bias", "conv_layer2.12.bias"},
    };
    for (const auto& row : siamese) {
        const auto names = PublishedNames::siamese({"A1", "A2"});
        CHECK(names.published(row.path) == row.published);
        CHECK(names.path(row.published) == row.path);
    }
    const std::vector<Row> single{
        {"backbone.encoder1.conv1.weight", "encoder1.enc1conv1.weight"},
        {"backbone.bottleneck.conv2.weight", "bottleneck.bottleneckconv2.weight"},
        {"backbone.up1.weight", "upconv1.weight"},
        {"backbone.decoder1.norm1.bias", "decoder1.dec1norm1.bias"},
        {"outputs.core.weight", "conv.weight"},
        {"outputs.shell.bias", "conv2.bias"},
    };
    for (const auto& row : single) {
        const auto names = PublishedNames::single_frame({"core", "shell"});
        CHECK(names.published(row.path) == row.published);
        CHECK(names.path(row.published) == row.path);
    }
    CHECK(PublishedNames::siamese({"A1"}).path("conv.weight") == "conv.weight");
    CHECK(PublishedNames::siamese({"A1"}).published("heads.B.0.weight") == "heads.B.0.weight");
}

TEST_CASE("a saved model is loaded bit for bit, with its size") {
    R r;
    const Scratch scratch;
    const auto path = scratch / "model.safetensors";

    SECTION("U-Net, Siamese: published names, no unused conv") {
        auto first = small_siamese(r, 1);
        auto second = small_siamese(r, 2);
        first.set_size(128);
        save_weights(path, first, {.metadata = {{"epoch", "7"}}});
        const SafeTensors file(path);
        CHECK(file.contains("encoder1_1.enc1conv1.weight"));
        CHECK(file.contains("conv_layer2.12.bias"));
        CHECK_FALSE(file.contains("conv.weight"));
        CHECK(file.at("bottleneck_1.bottlenecknorm1.num_batches_tracked").dtype == "I64");
        CHECK(file.at("upconv2.weight").shape == std::vector<Index>{8, 4, 2, 2});
        CHECK(file.metadata().at("mtdn.backbone") == "unet");
        CHECK(file.metadata().at("mtdn.tasks") == R"(["A1","A2"])");
        CHECK(file.metadata().at("mtdn.size") == "128");
        CHECK(file.metadata().at("epoch") == "7");
        REQUIRE_FALSE(same(state_of(first), state_of(second)));
        const auto report = load_weights(path, second);
        CHECK(report.unused.empty());
        CHECK(report.warnings.empty());
        CHECK(same(state_of(first), state_of(second)));
        CHECK(second.size() == 128);
    }
    SECTION("U-Net, single frame, two tasks") {
        auto first = small_single(r, 1, {"A1", "A2"});
        auto second = small_single(r, 2, {"A1", "A2"});
        save_weights(path, first);
        CHECK(SafeTensors(path).contains("conv2.bias"));
        load_weights(path, second);
        CHECK(same(state_of(first), state_of(second)));
        CHECK(describe(path).model == "single-frame");
        CHECK(describe(path).classes == 2);
    }
    SECTION("residual net, difference: visit paths") {
        Random random(1), other(2);
        const ResidualNetOptions options{.in_channels = 1, .width = 2, .depth = 1};
        Siamese first{ResidualNet{r, options, random}, Difference{}, {"A1"}, random};
        Siamese second{ResidualNet{r, options, other}, Difference{}, {"A1"}, other};
        save_weights(path, first);
        CHECK(SafeTensors(path).contains("heads.A1.0.weight"));
        load_weights(path, second);
        CHECK(same(state_of(first), state_of(second)));
        const auto d = describe(path);
        CHECK((d.backbone == "residual" && d.feature_fusion == "difference" && d.width == 2 && d.depth == 1));
        CHECK(d.warnings.empty());
        rewrite(path, scratch / "bare", false, as_is);
        const auto bare = describe(scratch / "bare");
        CHECK((bare.backbone == "residual" && bare.feature_fusion == "difference" && bare.depth == 1));
        CHECK_THAT(bare.warnings.at(0).message, Contains("may be difference, absolute or product"));

        Siamese absolute{ResidualNet{r, options, other}, AbsoluteDifference{}, {"A1"}, other};
        CHECK_THAT(load_weights(path, absolute).warnings.at(0).message,
                   Contains("\"difference\"") && Contains("\"absolute\""));
        auto unet = small_siamese(r, 3, {"A1"});
        CHECK_THAT(message_of<DataError>([&] { load_weights(path, unet); }),
                   Contains("\"residual\"") && Contains("\"unet\""));
    }
    SECTION("precisions") {
        auto first = small_siamese(r, 1);
        auto second = small_siamese(r, 2);
        save_weights(path, first, {.precision = WeightPrecision::full});
        load_weights(path, second);
        CHECK(same(state_of(first), state_of(second)));
        save_weights(path, first, {.precision = WeightPrecision::half});
        CHECK(SafeTensors(path).at("conv_layer1.0.weight").dtype == "F16");
        CHECK(SafeTensors(path).at("conv_layer1.1.running_var").dtype == "F32");
        load_weights(path, second);
        const auto a = state_of(first), b = state_of(second);
        for (std::size_t i = 0; i < a.size(); ++i)
            for (std::size_t k = 0; k < a[i].second.values.size(); ++k)
                // Half precision has 11 significant bits; all weights are above its subnormal range or tiny.
                CHECK(std::abs(a[i].second.values[k] - b[i].second.values[k]) <=
                      std::abs(a[i].second.values[k]) * 0x1p-11 + 0x1p-25);
    }
}

TEST_CASE("a file without metadata is described by its names and shapes") {
    R r;
    const Scratch scratch;
    save_weights(scratch / "model", small_siamese(r, 1, {"x", "y", "z"}, 3));
    rewrite(scratch / "model", scratch / "bare", false, as_is);
    const auto d = describe(scratch / "bare");
    CHECK(d.backbone == "unet");
    CHECK(d.model == "siamese");
    CHECK((d.in_channels == 3 && d.width == 2 && d.depth == 2 && d.classes == 4 && d.size == 0));
    CHECK(d.tasks == std::vector<std::string>{"A1", "A2", "A3"});
    CHECK(d.head_widths == std::vector<Index>{4, 2, 1, 3});
    CHECK(d.feature_fusion == "concat");
    CHECK_THAT(d.warnings.at(0).message, Contains("no metadata") && Contains("A1, A2, A3"));
    CHECK(describe(scratch / "model").tasks == std::vector<std::string>{"x", "y", "z"});
    CHECK(describe(scratch / "model").warnings.empty());

    save_weights(scratch / "single", small_single(r, 1));
    rewrite(scratch / "single", scratch / "bare", false, as_is);
    CHECK(describe(scratch / "bare").model == "single-frame");
    CHECK(describe(scratch / "bare").classes == 2);
}

TEST_CASE("heads are found by their task's name") {
    R r;
    const Scratch scratch;
    const auto both = small_siamese(r, 1, {"A1", "A2"});
    save_weights(scratch / "both", both);
    rewrite(scratch / "both", scratch / "bare", false, as_is);
    const auto head = [](const auto& model, std::size_t i) { return state_of(model.heads()[i].second); };

    for (const std::string name : {"both", "bare"}) {
        auto second = small_siamese(r, 2, {"A2"});
        load_weights(scratch / name, second);
        CHECK(same(head(second, 0), head(both, 1)));
    }
    auto other = small_siamese(r, 2, {"shell", "core"});
    CHECK_THAT(message_of<DataError>([&] { load_weights(scratch / "both", other); }),
               Contains("no task \"shell\"") && Contains(R"(["A1","A2"])"));
    const auto report = load_weights(scratch / "bare", other);
    CHECK_THAT(report.warnings.at(0).message, Contains("in their order"));
    CHECK(same(head(other, 1), head(both, 1)));
}

TEST_CASE("tensors without a place are reported, and loading is all or nothing") {
    R r;
    const Scratch scratch;
    save_weights(scratch / "model", small_siamese(r, 1));
    auto model = small_siamese(r, 2);
    const auto before = state_of(model);
    const auto refused = [&](auto&& change) {
        rewrite(scratch / "model", scratch / "changed", true, change);
        const auto message = message_of<Error>([&] { load_weights(scratch / "changed", model); });
        CHECK(same(state_of(model), before));
        return message;
    };
    CHECK_THAT(refused([](auto& name, auto&, auto&) { return name != "upconv1.bias"; }),
               Contains("changed") && Contains("\"upconv1.bias\" (backbone.up1.bias) is missing"));
    CHECK_THAT(refused([](auto& name, auto&, auto& values) {
                   if (name == "conv_layer2.12.bias") values[1] = std::nanf("");
                   return true;
               }),
               Contains("conv_layer2.12.bias") && Contains("nan"));
    CHECK_THAT(refused([](auto& name, auto& shape, auto&) {
                   if (name == "upconv1.weight") shape = {2, 4, 2, 2};
                   return true;
               }),
               Contains("upconv1.weight") && Contains("(2, 4, 2, 2)") && Contains("expects (4, 2, 2, 2)"));
    CHECK_THAT(
        message_of<ShapeError>([&] {
            Random random(1);
            Siamese wide{
                UNet{r, {.in_channels = 1, .width = 4, .depth = 2}, random}, Concatenate{}, {"A1", "A2"}, random};
            load_weights(scratch / "model", wide);
        }),
        Contains("encoder1_1.enc1conv1.weight") && Contains("(2, 1, 3, 3)") && Contains("(4, 1, 3, 3)"));

    // The published files: an unused conv, and for init₁ and init₂ the encoder under two more names.
    const SafeTensors file(scratch / "model");
    SafeTensorsWriter writer;
    for (const auto& tensor : file.tensors()) {
        if (tensor.dtype == "I64") continue;
        const auto values = file.values<float>(tensor.name);
        const std::span<const float> span(values);
        writer.add(tensor.name, tensor.shape, span);
        if (tensor.name.starts_with("encoder1_")) writer.add("encoder2_" + tensor.name.substr(9), tensor.shape, span);
        if (tensor.name.starts_with("encoder1_")) writer.add("encoder" + tensor.name.substr(9), tensor.shape, span);
    }
    const std::vector<float> conv(4);
    writer.add("conv.weight", {1, 4, 1, 1}, std::span<const float>(conv));
    writer.write(scratch / "published");
    CHECK(describe(scratch / "published").model == "siamese");
    const auto report = load_weights(scratch / "published", model);
    CHECK(report.unused.size() == 2 * 2 * 10 + 1);  // 2 copies of 2 levels of 2 convolutions and 2 norms of 4 vectors
    CHECK(std::set<std::string>(report.unused.begin(), report.unused.end()).contains("conv.weight"));
    CHECK_THAT(report.warnings.back().message, Contains("41 tensors") && Contains("and 37 more"));
}

TEST_CASE("metadata that do not describe the tensors are refused") {
    R r;
    const Scratch scratch;
    save_weights(scratch / "model", small_siamese(r, 1));
    const auto described = [&](const std::string& key, const std::string& value) {
        const SafeTensors file(scratch / "model");
        SafeTensorsWriter writer;
        for (const auto& tensor : file.tensors()) {
            if (tensor.dtype == "I64") continue;
            const auto values = file.values<float>(tensor.name);
            writer.add(tensor.name, tensor.shape, std::span<const float>(values));
        }
        for (const auto& [k, v] : file.metadata()) writer.set_metadata(k, v);
        writer.set_metadata(key, value);
        writer.write(scratch / "changed");
        return message_of<Error>([&] { describe(scratch / "changed"); });
    };
    const auto options = SafeTensors(scratch / "model").metadata().at("mtdn.options");
    const auto with = [&](const std::string& from, const std::string& to) {
        auto text = options;
        return text.replace(text.find(from), from.size(), to);
    };
    CHECK_THAT(described("mtdn.options", with("\"width\":2", "\"width\":2000000000")),
               Contains("width 2000000000") && Contains("width 2, depth 2"));
    CHECK_THAT(described("mtdn.options", with("\"width\":2", "\"width\":\"2\"")),
               Contains("\"width\": missing or of another"));
    CHECK_THAT(described("mtdn.options", with("[4,", "[99999,")), Contains("head_widths") && Contains("99999"));
    CHECK_THAT(described("mtdn.options", with("siamese", "triplet")), Contains("found \"triplet\""));
    CHECK_THAT(described("mtdn.options", "{"), Contains("mtdn.options") && Contains("not valid JSON"));
    CHECK_THAT(described("mtdn.size", "-1"), Contains("mtdn.size") && Contains("-1"));
    CHECK_THAT(described("mtdn.tasks", "3"), Contains("expected a list of names"));
    auto model = small_siamese(r, 2);
    described("mtdn.normalisation", "x / 255");
    CHECK_THAT(message_of<DataError>([&] { load_weights(scratch / "changed", model); }),
               Contains("x / 255") && Contains("expected (x - 0.5) / 0.5"));
}

TEST_CASE("weights for three copies of a grey frame are folded to one channel") {
    R r;
    const Scratch scratch;
    const auto three = small_siamese(r, 1, {"A1"}, 3);
    save_weights(scratch / "three", three);
    auto one = small_siamese(r, 2, {"A1"}, 1);
    CHECK_THAT(load_weights(scratch / "three", one).warnings.at(0).message, Contains("takes 3 channels"));
    CHECK_THROWS_AS(fold_input_channels(StateDictionary{{"up1.weight", {{1}, {1.0}}}}), DataError);
    const auto folded = fold_input_channels(state_of(three));
    for (std::size_t i = 0; i < folded.size(); ++i) {
        INFO(folded[i].first);
        CHECK(folded[i].second.shape == state_of(one)[i].second.shape);
    }

    Random random(3);
    std::vector<float> grey(2 * 8 * 8), copies;
    for (auto& value : grey) {
        value = static_cast<float>(random.uniform(-1, 1));
        copies.insert(copies.end(), 3, value);
    }
    const auto logits = [&](const auto& model, const std::vector<float>& values, Index channels) {
        Pass<R> pass(r);
        Tensor<R> frames(r, {2, 8, 8, channels});
        upload<R, float>(values, frames);
        const std::vector<Pair> pairs{{0, 1}};
        return download(value_of(model.compare(model.features(pass.input(frames), pass), pairs, pass)[0]));
    };
    const auto a = logits(three, copies, 3), b = logits(one, grey, 1);
    // The folded weights are rounded once more to single precision.
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-5));
}

TEST_CASE("a backbone is taken from either kind of model, heads stay") {
    R r;
    const Scratch scratch;
    const auto single = small_single(r, 1);
    const auto siamese = small_siamese(r, 2);
    save_weights(scratch / "single", single);
    save_weights(scratch / "siamese", siamese);
    rewrite(scratch / "single", scratch / "bare", false, as_is);
    for (const std::string name : {"single", "bare", "siamese"}) {
        auto model = small_siamese(r, 3);
        const auto head = state_of(model.heads()[0].second);
        const auto report = load_backbone(scratch / name, model);
        CHECK(report.unused.empty());
        CHECK(same(state_of(model.heads()[0].second), head));
        CHECK(same(state_of(model.backbone()),
                   name == "siamese" ? state_of(siamese.backbone()) : state_of(single.backbone())) == true);
    }
    auto model = small_siamese(r, 3);
    CHECK_THAT(message_of<DataError>([&] { load_weights(scratch / "single", model); }),
               Contains("holds a single-frame model") && Contains("load_backbone"));
}

TEST_CASE("a weight that is not finite is not written") {
    R r;
    const Scratch scratch;
    auto model = small_siamese(r, 1);
    model.parameters().values.data()[0] = std::nanf("");
    CHECK_THAT(message_of<DataError>([&] { save_weights(scratch / "model", model); }),
               Contains("encoder1_1.enc1conv1.weight") && Contains("nan"));
    model.parameters().values.data()[0] = 70000;
    CHECK_THAT(
        message_of<DataError>([&] { save_weights(scratch / "model", model, {.precision = WeightPrecision::half}); }),
        Contains("70000") && Contains("half precision"));
    CHECK(scratch.count() == 0);
    CHECK_NOTHROW(save_weights(scratch / "model", model));
}
