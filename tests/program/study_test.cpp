#include "program/program.hpp"

#include <set>
#include <tuple>

#include <mtdn/experiment/ablations.hpp>

using namespace mtdn;
using namespace mtdn::testing;

TEST_CASE("the published figures are the paper's") {
    CHECK(recipes().size() == 7);
    CHECK(recipe("unet-a1").options.rate == 4.1342193e-5);
    CHECK(recipe("mtdn-init2").init == "unet-a2");
    CHECK_THROWS_WITH(recipe("unet-a3"),
                      Catch::Matchers::Contains("unet-a3") && Catch::Matchers::Contains("mtdn-single-a2"));
}

TEST_CASE("reproduce trains what is asked, then, resumed, the rest, and reports every table and figure") {
    const Scratch scratch;
    const auto out = (scratch / "study").string(), command = "reproduce --scale quick --out " + out;
    const auto first = mtdn_run(scratch, command + " --models unet-a1,unet-a2");
    INFO(first.err);
    REQUIRE(first.status == 0);
    const auto weights = text_of(out + "/runs/unet-a2/best.safetensors");

    const auto again = mtdn_run(scratch, command);
    CHECK(again.status != 0);
    CHECK(again.err.find("holds a study already") != std::string::npos);
    const auto other = mtdn_run(scratch, command + " --resume --epochs 3");
    CHECK(other.status != 0);
    CHECK(other.err.find("begun with epochs") != std::string::npos);
    CHECK(mtdn_run(scratch, "reproduce --out x").err.find("--data") != std::string::npos);

    const auto whole = mtdn_run(scratch, command + " --resume");
    INFO(whole.err);
    REQUIRE(whole.status == 0);
    CHECK(text_of(out + "/runs/unet-a2/best.safetensors") == weights);
    const auto page = text_of(out + "/report.html"), markdown = text_of(out + "/report.md");
    for (int table = 1; table <= 6; ++table)
        CHECK(page.find("Table " + std::to_string(table) + ":") != std::string::npos);
    for (const auto& recipe : recipes()) CHECK(page.find(recipe.name) != std::string::npos);
    CHECK(page.find("Best overall: ") != std::string::npos);
    CHECK(page.find("– ") == std::string::npos);  // no cell is empty
    // Every picture is there, and in the page.
    std::size_t links = 0, embedded = 0;
    for (auto at = markdown.find("]("); at != std::string::npos; at = markdown.find("](", at + 1), ++links) {
        const auto link = markdown.substr(at + 2, markdown.find(')', at) - at - 2);
        CHECK(std::filesystem::file_size(out + "/" + link) > 100);
    }
    for (auto at = page.find("data:image/png"); at != std::string::npos; at = page.find("data:image/png", at + 1))
        ++embedded;
    CHECK(links == 2 * 3 * 4 + 2);  // two splits, three figures of four pictures, learning curves, partners
    CHECK(embedded == links);

    const auto scores = parse_json(text_of(out + "/scores.json"), "scores.json");
    CHECK(scores.size() == 7);
    CHECK(scores["mtdn-init2"]["ensemble"]["test"]["A2"]["total"]["macro_f1"].get<double>() > 0.5);
    CHECK(scores["unet-a1"].size() == 1);
    CHECK(scores["mtdn"]["partners"]["validation"]["A2"]["changed"].get<double>() > 0);
}

TEST_CASE("a study's run that was stopped before a validation has no best score, and its table says so") {
    const Scratch scratch;
    const auto out = (scratch / "study").string();
    const auto run =
        mtdn_run(scratch, "reproduce --scale quick --width 4 --models unet-a1 --minutes 1e-9 --out " + out);
    INFO(run.err);
    REQUIRE(run.status == 0);
    const auto markdown = text_of(out + "/report.md");
    const auto row = markdown.find("| unet-a1 |", markdown.find("| model | parameters |"));
    REQUIRE(row != std::string::npos);
    const auto cells = markdown.substr(row, markdown.find('\n', row) - row);
    INFO(cells);
    CHECK(cells.find(" | 0 | – | – | ") != std::string::npos);  // epochs, best epoch, best score
}

TEST_CASE("every variant of an ablation differs from its base, and is named once") {
    std::set<std::string> names;
    for (const auto& recipe : recipes()) names.insert(recipe.name);
    const auto chosen = [](const Recipe& r) {
        return std::tuple(r.model.feature_fusion, r.model.backbone, r.options.batch_norm, r.options.clique,
                          r.options.pairs, r.options.loss.name, r.every);
    };
    for (const auto& ablation : ablations())
        for (const auto& variant : ablation.variants) {
            INFO(ablation.name << ", " << variant.label);
            const auto& base = recipe(variant.base);
            CHECK(variant.recipe.init == base.init);
            CHECK(variant.recipe.model.tasks == base.model.tasks);
            CHECK((variant.recipe.name == base.name || names.insert(variant.recipe.name).second));
            CHECK((chosen(variant.recipe) == chosen(base)) == (variant.recipe.name == base.name));
        }
}

TEST_CASE("reproduce trains an ablation with what it is held against, and reports it") {
    const Scratch scratch;
    const auto out = (scratch / "study").string();
    const auto command = "reproduce --scale quick --out " + out + " --epochs 1 --width 4 --minutes 0.004 --json";
    const auto run = mtdn_run(scratch, command + " --ablation labels,self-pairs");
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK(parse_json(run.out, "stdout")["models"] == 3 * 4 + 1);
    CHECK(std::filesystem::exists(out + "/runs/labels-unet-a2-8/best.safetensors"));
    CHECK_FALSE(std::filesystem::exists(out + "/runs/mtdn-init1"));
    const auto markdown = text_of(out + "/report.md");
    for (const std::string wanted : {"| mtdn, 1/8 |", "| unet-a2, all |", "| without |", "(pictures/labels.png)"})
        CHECK(markdown.find(wanted) != std::string::npos);
    const auto scores = parse_json(text_of(out + "/scores.json"), "scores.json");
    CHECK(scores["self-pairs-without"]["backward"]["test"].contains("A1"));
    CHECK(scores["labels-unet-a1-4"]["single-frame"]["validation"].contains("A1"));

    // What is done is left alone, and what is there is reported whatever is asked for.
    CHECK(mtdn_run(scratch, command + " --resume --models mtdn").status == 0);
    CHECK(text_of(out + "/report.md") == markdown);
    CHECK(mtdn_run(scratch, command + " --resume --clique 2 --ablation clique").err.find("--clique") !=
          std::string::npos);
    CHECK(mtdn_run(scratch, command + " --resume --ablation colour").status == 2);
}
