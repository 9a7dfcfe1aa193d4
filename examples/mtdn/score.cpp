#include <iostream>
#include <memory>

#include "cli.hpp"
#include "scores.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/read_predictions.hpp>

void add_score(CLI::App& app, Common& common) {
    struct Options {
        std::string truth, prediction, frame_scores;
        std::vector<int> polarity;
        std::optional<double> threshold;
    };
    auto options = std::make_shared<Options>();
    auto* command = app.add_subcommand("score", "Scores masks from anywhere against a dataset's");
    command->add_option("--truth", options->truth, "Folder of the dataset")->required();
    command->add_option("--prediction", options->prediction, "Folder of masks, <sequence>/<task>/<frame name>")
        ->required();
    add_polarity(*command, options->polarity, "Polarity of the predictions, if not the truth's");
    command->add_option("--threshold", options->threshold,
                        "Takes any grey value, from 0 to 255: nearer to feature from here on");
    command->add_option("--frame-scores", options->frame_scores,
                        "File (.csv) for each frame's scores, which mtdn plot draws");
    command->footer("Example: mtdn score --truth film --prediction masks");
    command->callback([options, &common] {
        const auto truth = mtdn::read_dataset(options->truth);
        print_warnings(truth.warnings());
        const auto predictions =
            mtdn::read_predictions(options->prediction, truth, polarity_of(options->polarity), options->threshold);
        for (const auto& name : predictions.left_out)
            std::cerr << "left out: sequence \"" << name << "\", which " << options->prediction << " does not hold\n";
        mtdn::ScoreTable table;
        mtdn::CsvTable frames;
        for (const auto& sequence : truth.sequences())
            if (const auto found = predictions.masks.find(sequence.name); found != predictions.masks.end()) {
                if (left_out_unlabelled(sequence)) continue;
                const auto score = mtdn::score(found->second, sequence.masks);
                add_frame_scores(frames, options->prediction, sequence, score);
                table.add(sequence.name, score);
            }
        mtdn::require<mtdn::DataError>(!table.rows().empty(), options->truth,
                                       ": none of the sequences that were predicted has true masks");
        if (!options->frame_scores.empty()) mtdn::write_csv(options->frame_scores, frames);
        if (common.json)
            print_json(scores_json(table));
        else
            std::cout << table;
    });
}
