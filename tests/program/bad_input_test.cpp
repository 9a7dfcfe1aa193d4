#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>

#include "program/program.hpp"

#include <mtdn/io/png.hpp>
#include <mtdn/io/safetensors.hpp>
#include <mtdn/io/safetensors_writer.hpp>

// Bad input is a clear error that names the file, status 1, and nothing half-written.
using namespace mtdn;
using namespace mtdn::testing;
namespace fs = std::filesystem;

namespace {

struct Broken {
    Scratch scratch;
    fs::path data = scratch / "film";
    fs::path sequence, frame, mask;

    Broken() {
        fs::copy(film().data, data, fs::copy_options::recursive);
        for (const auto& entry : fs::directory_iterator(data))
            if (entry.is_directory() && (sequence.empty() || entry.path() < sequence)) sequence = entry.path();
        frame = first(sequence / "frames");
        mask = first(sequence / "masks" / "A1");
    }
    static fs::path first(const fs::path& folder) {
        fs::path least;
        for (const auto& entry : fs::directory_iterator(folder))
            if (least.empty() || entry.path() < least) least = entry.path();
        return least;
    }
    void expect(const std::string& arguments, const std::vector<std::string>& words) const {
        const auto run = mtdn_run(scratch, arguments);
        INFO(run.err);
        CHECK(run.status == 1);
        CHECK(run.out.empty());
        for (const auto& word : words) CHECK(run.err.find(word) != std::string::npos);
    }
    void info(const std::vector<std::string>& words) const { expect("info --data " + data.string(), words); }
    void change_manifest(const std::function<void(Json&)>& change) const {
        auto json = parse_json_file(data / "dataset.json");
        change(json);
        write_json(data / "dataset.json", json);
    }
};

void write_bytes(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

Array<std::uint8_t, 2> grey(Index side, std::uint8_t value) { return full_array<std::uint8_t>(value, side, side); }

std::string with_length(const std::string& header, std::uint64_t length) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header;
}

}  // namespace

TEST_CASE("broken pictures") {
    const Broken b;
    SECTION("truncated") {
        fs::resize_file(b.frame, fs::file_size(b.frame) / 2);
        b.info({b.frame.string(), "truncated"});
    }
    SECTION("0 bytes") {
        fs::resize_file(b.frame, 0);
        b.info({b.frame.string(), "0 bytes"});
    }
    SECTION("a mask of another size") {
        write_png(b.mask, grey(20, 0));
        b.info({b.mask.string(), "20", "35"});
    }
    SECTION("a mask with a third value") {
        auto mask = grey(35, 0);
        mask(3, 4) = 77;
        write_png(b.mask, mask);
        b.info({b.mask.string(), "row 3", "column 4", "77"});
    }
    SECTION("a missing mask") {
        fs::remove(b.mask);
        b.info({b.mask.filename().string()});
    }
    SECTION("a frame of another size") {
        write_png(b.frame, grey(36, 100));
        b.info({"36", "35"});
    }
}

TEST_CASE("broken manifests") {
    const Broken b;
    SECTION("a sequence in two splits") {
        b.change_manifest([&](Json& json) { json["sequences"][b.sequence.filename()]["split"] = {"train", "test"}; });
        b.info({"dataset.json", b.sequence.filename().string(), "split"});
    }
    SECTION("an unknown key") {
        b.change_manifest([](Json& json) { json["framez"] = 1; });
        b.info({"dataset.json", "framez"});
    }
    SECTION("no JSON") {
        write_bytes(b.data / "dataset.json", "{\"name\": ");
        b.info({"dataset.json"});
    }
}

TEST_CASE("without a manifest, info says what is guessed and shows one, and training says what is missing") {
    const Broken b;
    const std::string data = b.data.string(), train = "train --data " + data + " --out " + (b.scratch / "out").string();
    fs::remove(b.data / "dataset.json");
    b.expect(train, {data, "no sequence to train on", "without a dataset.json all are of split test",
                     R"("sequences": {"filament_01": {"split": "train"}, …})"});
    const auto info = mtdn_run(b.scratch, "info --data " + data);
    INFO(info.out);
    REQUIRE(info.status == 0);
    CHECK(info.err.find("no times are given of \"filament_01\", \"filament_02\", \"filament_03\": the numbers") !=
          std::string::npos);
    CHECK(info.out.find("file numbers") != std::string::npos);
    CHECK(info.out.find("every film is of split test") != std::string::npos);
    const auto json = parse_json(mtdn_run(b.scratch, "info --json --data " + data).out, "info");
    CHECK(json["manifest"] == false);
    CHECK(json["sequences"]["filament_01"]["times"] == "file numbers");
    // The manifest that it shows is one.
    write_bytes(b.data / "dataset.json", info.out.substr(info.out.find("\n{")));
    const auto again = parse_json(mtdn_run(b.scratch, "info --json --data " + data).out, "info");
    CHECK(again["manifest"] == true);
    for (const char* split : {"train", "validation", "test"}) CHECK(again["splits"][split]["sequences"] == 1);
    CHECK(again["tasks"] == json["tasks"]);
    CHECK(again["sequences"]["filament_02"]["times"] == "manifest");
    CHECK(again["sequences"]["filament_02"]["last_second"] == json["sequences"]["filament_02"]["last_second"]);
    b.change_manifest([](Json& manifest) { manifest["sequences"]["filament_01"]["split"] = "test"; });
    b.expect(train, {"dataset.json gives none the split train; expected \"sequences\""});
    CHECK(!fs::exists(b.scratch / "out"));
    const auto one = mtdn_run(b.scratch, "info --data " + b.sequence.string());
    CHECK(one.out.find("A dataset is a folder of such folders") != std::string::npos);
}

TEST_CASE("broken weights") {
    const Broken b;
    const auto file = b.scratch / "model.safetensors";
    const auto use = [&](const std::vector<std::string>& words) {
        std::vector<std::string> all{file.string()};
        all.insert(all.end(), words.begin(), words.end());
        const auto out = b.scratch / "out";
        b.expect("segment --model " + file.string() + " --data " + b.data.string() + " --out " + out.string(), all);
        CHECK(!fs::exists(out));
    };
    SECTION("a header of 2^60 bytes") {
        write_bytes(file, with_length("{}", std::uint64_t{1} << 60));
        use({});
    }
    SECTION("wrong offsets") {
        const std::string header = R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}})";
        write_bytes(file, with_length(header, header.size()) + std::string(16, '\0'));
        use({"\"a\""});
    }
    SECTION("overlapping tensors") {
        const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                   R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})";
        write_bytes(file, with_length(header, header.size()) + std::string(12, '\0'));
        use({"\"b\""});
    }
    SECTION("changed tensors") {
        const SafeTensors good(film().model);
        const bool nan = GENERATE(true, false);
        SafeTensorsWriter writer;
        for (const auto& tensor : good.tensors()) {
            if (tensor.dtype == "I64") {
                writer.add<std::int64_t>(tensor.name, tensor.shape, good.integers(tensor.name));
                continue;
            }
            auto values = good.values<float>(tensor.name);
            auto shape = tensor.shape;
            if (tensor.name.find("bottleneckconv2") != std::string::npos) {
                if (nan)
                    values[1] = std::numeric_limits<float>::quiet_NaN();
                else
                    std::swap(shape[0], shape[3]);
            }
            writer.add<float>(tensor.name, shape, values);
        }
        for (const auto& [key, value] : good.metadata()) writer.set_metadata(key, value);
        writer.write(file);
        use({"bottleneckconv2", nan ? "nan" : "shape (3, 32, 3, 32)"});
    }
}

TEST_CASE("films without masks, and tasks of other names, among those that are scored") {
    const Broken b;
    const std::string evaluate =
        "evaluate --model " + film().model + " --split all --fusion backward --data " + b.data.string();
    const auto name = b.sequence.filename().string();
    b.change_manifest([&](Json& json) { json["sequences"][name]["tasks"] = Json::object(); });
    const auto run = mtdn_run(b.scratch, evaluate);
    CHECK(run.status == 0);
    CHECK(run.err.find("left out: sequence \"" + name + "\", which has no true masks") != std::string::npos);
    CHECK(run.out.find(name) == std::string::npos);
    b.change_manifest([](Json& json) {
        for (auto& sequence : json["sequences"]) sequence["tasks"] = {{"core", "masks/A2/*.png"}};
    });
    const auto refused = mtdn_run(b.scratch, evaluate + " --threshold");
    CHECK(refused.status == 2);
    CHECK(refused.err.find("--threshold knows the tasks A1 and A2 alone") != std::string::npos);
    CHECK(refused.out.empty());
}

TEST_CASE("a frame smaller than the backbone's multiple") {
    const Broken b;
    const auto frames = b.scratch / "small";
    fs::create_directory(frames);
    write_png(frames / "f_1.png", grey(3, 90));
    const auto out = b.scratch / "out";
    b.expect("segment --model " + film().model + " --frames " + frames.string() + " --out " + out.string(),
             {"multiple 4", "depth 1"});
    CHECK(!fs::exists(out));
}

TEST_CASE("a disk that is full when a checkpoint is written") {
    const Broken b;
    const auto out = b.scratch / "run";
    // The limit on a file's size stands in for the disk: no file may grow beyond 64 KiB.
    const auto run = mtdn_run(
        b.scratch, "train --data " + b.data.string() + " --out " + out.string() + " " + Film::recipe() + " --epochs 1",
        "ulimit -f 128; trap '' XFSZ; ");
    INFO(run.err);
    CHECK(run.status == 1);
    CHECK(run.err.find(".safetensors") != std::string::npos);
    for (const auto& entry : fs::directory_iterator(out)) CHECK(entry.path().extension() != ".safetensors");
    for (const auto& entry : fs::directory_iterator(out))
        CHECK(entry.path().string().find(".tmp") == std::string::npos);
}
