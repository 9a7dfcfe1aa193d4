#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "network.hpp"

#include <mtdn/experiment/checkpoint.hpp>
#include <mtdn/experiment/train.hpp>
#include <mtdn/experiment/weights.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/tensorboard.hpp>

/// The network of one kind of model, which `make(backend, random)` makes.
template <class Model>
class NetworkOf final : public Network {
    using Backend = typename Model::Backend;
    static constexpr bool compares = mtdn::detail::compares_frames<Model>;

public:
    template <class Options, class Make>
    NetworkOf(const Options& options, std::uint64_t seed, mtdn::Index size, Make make)
        : backend_(options), random_(seed, "initialise"), model_(make(backend_, random_)) {
        model_.set_size(size);
    }

    bool compares_frames() const override { return compares; }
    const std::vector<std::string>& tasks() const override { return model_.tasks(); }
    mtdn::Index parameter_count() const override { return model_.parameters().count(); }
    std::string device() const override { return backend_.describe(); }

    std::vector<mtdn::Warning> load(const std::filesystem::path& file) override {
        return mtdn::load_weights(file, model_).warnings;
    }
    std::vector<mtdn::Warning> load_backbone(const std::filesystem::path& file) override {
        return mtdn::load_backbone(file, model_).warnings;
    }
    void save(const std::filesystem::path& file, bool half) const override {
        mtdn::save_weights(file, model_,
                           {.precision = half ? mtdn::WeightPrecision::half : mtdn::WeightPrecision::single});
    }

    mtdn::Segmentation segment(const mtdn::Images& frames, const mtdn::AnyPredictionFusion& fusion,
                               const mtdn::SegmentOptions& options) const override {
        if constexpr (compares)
            return mtdn::segment_with_uncertainty(model_, frames, fusion, options);
        else
            return mtdn::segment_with_uncertainty(model_, frames, options);
    }

    std::unique_ptr<LiveFilm> live([[maybe_unused]] mtdn::LiveFusion fusion) const override {
        struct Film final : LiveFilm {
            explicit Film(mtdn::LiveSegmenter<Model> begun) : segmenter(std::move(begun)) {}
            std::optional<mtdn::LiveMasks> push(const mtdn::Image& frame) override { return segmenter.push(frame); }
            std::optional<mtdn::LiveMasks> finish() override { return segmenter.finish(); }
            mtdn::LiveSegmenter<Model> segmenter;
        };
        if constexpr (compares)
            return std::make_unique<Film>(mtdn::LiveSegmenter<Model>(model_, fusion));
        else
            return std::make_unique<Film>(mtdn::LiveSegmenter<Model>(model_));
    }

    std::pair<mtdn::Index, mtdn::Index> segment_tiles(const LargeFilm& film, const mtdn::AnyPredictionFusion& fusion,
                                                      const mtdn::TileOptions& options) const override {
        mtdn::TiledSegmenter<Model> tiles(model_, film.size, options);
        const auto passes = mtdn::segment_film(tiles, film.frames, fusion, film.read, film.take);
        return {tiles.tiles(), passes};
    }

    std::map<std::string, mtdn::Array<float, 3>> change(
        [[maybe_unused]] const mtdn::Images& two_frames) const override {
        std::map<std::string, mtdn::Array<float, 3>> answers;
        if constexpr (compares) {
            mtdn::SequenceComparison<Model> comparison(model_, two_frames);
            const mtdn::Pair pair{0, 1};
            comparison.logits(std::span(&pair, 1), [&](mtdn::Index, mtdn::Index task, const float* logits) {
                auto answer = mtdn::make_array<float>(comparison.size().height, comparison.size().width, 4);
                std::copy_n(logits, answer.size(), answer.data());
                answers.emplace(model_.tasks()[static_cast<std::size_t>(task)], std::move(answer));
            });
        } else {
            mtdn::fail<mtdn::OptionError>("a single-frame model sees no change; expected a Siamese one");
        }
        return answers;
    }

    std::map<std::string, mtdn::PartnerMasks> partner_masks(
        [[maybe_unused]] const mtdn::Sequence& sequence) const override {
        if constexpr (compares)
            return mtdn::partner_masks(model_, sequence);
        else
            mtdn::fail<mtdn::OptionError>("a single-frame model has no partners; expected a Siamese one");
    }

    std::vector<mtdn::EpochRecord> train(const mtdn::Dataset& data, const mtdn::TrainOptions& options,
                                         const RunOptions& run) override {
        mtdn::Trainer<Model> trainer(model_, data, options);
        const auto checkpoint = run.folder / "checkpoint.safetensors";
        if (run.resume) mtdn::load_checkpoint(checkpoint, trainer);
        if (!run.writes) {
            trainer.run([](auto&, bool) { return true; });
            trainer.settle();
            return trainer.position().curve;
        }

        const mtdn::Index first = trainer.position().epoch;
        std::vector<std::string> columns{"rate", "loss", "validation"};
        for (const auto& task : model_.tasks()) columns.push_back("validation_" + task);
        columns.push_back("seconds");
        mtdn::CurveWriter curve(run.folder / "curve.csv", columns, first);
        write_lines(run.folder / "curve.jsonl", trainer.position().curve);

        std::optional<mtdn::TensorBoardWriter> board;
        if (run.tensorboard) board.emplace(run.folder / "tensorboard");

        const auto now = [] { return std::chrono::steady_clock::now(); };
        auto saved = now();
        const auto stops = [&] { return run.until_epoch > 0 && trainer.position().epoch >= run.until_epoch; };
        if (!stops()) trainer.run([&](auto&, bool epoch_done) {
            if (epoch_done) {
                const auto& record = trainer.position().curve.back();
                std::vector<double> row{record.rate, record.loss, record.validation};
                for (const auto& task : model_.tasks()) {
                    const auto found = record.validation_tasks.find(task);
                    row.push_back(found == record.validation_tasks.end() ? std::nan("") : found->second);
                }
                row.push_back(record.seconds);
                if (trainer.position().best_epoch == record.epoch) {
                    const auto averaged = trainer.validated_weights();
                    mtdn::save_weights(run.folder / "best.safetensors", model_);
                }
                curve.append(record.epoch, row);
                if (board) {
                    std::vector<std::pair<std::string, double>> points;
                    for (std::size_t i = 0; i < columns.size(); ++i) points.emplace_back(columns[i], row[i]);
                    board->scalars(record.epoch, points);
                }
                write_lines(run.folder / "curve.jsonl", trainer.position().curve);
            }
            if (epoch_done || std::chrono::duration<double>(now() - saved).count() >= run.checkpoint_seconds) {
                mtdn::save_checkpoint(checkpoint, trainer);
                saved = now();
            }
            return !(epoch_done && stops());
        });
        mtdn::save_checkpoint(checkpoint, trainer);
        mtdn::save_weights(run.folder / "last.safetensors", model_);
        trainer.settle();
        mtdn::save_weights(run.folder / "best.safetensors", model_);
        return trainer.position().curve;
    }

private:
    static void write_lines(const std::filesystem::path& path, const std::vector<mtdn::EpochRecord>& curve) {
        std::string lines;
        for (const auto& record : curve) {
            const mtdn::Json json{{"epoch", record.epoch},
                                  {"rate", record.rate},
                                  {"loss", record.loss},
                                  {"validation", mtdn::detail::number_json(record.validation)},
                                  {"validation_tasks", record.validation_tasks},
                                  {"seconds", record.seconds}};
            lines += mtdn::json_text(json, -1) + '\n';
        }
        mtdn::write_file(path, lines);
    }

    Backend backend_;
    mtdn::Random random_;
    Model model_;
};

/// The described kind of model on the backbone that `make(backend, description, random)` makes.
template <class Backend, class Options, class Make>
std::unique_ptr<Network> make_network_of(const mtdn::ModelDescription& d, const Options& options, std::uint64_t seed,
                                         Make make) {
    using Backbone = std::invoke_result_t<Make, Backend&, const mtdn::ModelDescription&, mtdn::Random&>;
    using Siamese = mtdn::Siamese<Backbone, mtdn::AnyFeatureFusion<Backend>>;
    using SingleFrame = mtdn::SingleFrame<Backbone>;
    if (d.is_siamese())
        return std::make_unique<NetworkOf<Siamese>>(options, seed, d.size, [&](Backend& backend, mtdn::Random& random) {
            return Siamese{make(backend, d, random), mtdn::feature_fusion<Backend>(d.feature_fusion), d.tasks, random,
                           {.widths = d.head_widths, .classes = d.classes}};
        });
    return std::make_unique<NetworkOf<SingleFrame>>(options, seed, d.size, [&](Backend& backend, mtdn::Random& random) {
        return SingleFrame{make(backend, d, random), d.tasks, random};
    });
}
