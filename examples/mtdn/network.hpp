#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/change/fusion.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/experiment/live.hpp>
#include <mtdn/experiment/model_description.hpp>
#include <mtdn/experiment/partner_sensitivity.hpp>
#include <mtdn/experiment/segment_options.hpp>
#include <mtdn/experiment/tiles.hpp>
#include <mtdn/experiment/train_options.hpp>

#include "machine.hpp"

/// Where a training run keeps its files, and when it writes them.
struct RunOptions {
    std::filesystem::path folder;     ///< best, last and checkpoint.safetensors, curve.csv, curve.jsonl
    bool resume = false;              ///< go on from the checkpoint
    mtdn::Index until_epoch = 0;      ///< stops when so many epochs are done, to be resumed; 0: at the end
    double checkpoint_seconds = 120;  ///< a checkpoint at least so often; one at the end of every epoch anyway
    bool tensorboard = false;         ///< its curves as TensorBoard reads them, too: tensorboard/events.out.tfevents.…
    bool writes = true;               ///< false: another rank writes the files
};

/// A film that is being segmented a frame at a time; see `mtdn::LiveSegmenter`.
class LiveFilm {
public:
    virtual ~LiveFilm() = default;
    virtual std::optional<mtdn::LiveMasks> push(const mtdn::Image& frame) = 0;
    virtual std::optional<mtdn::LiveMasks> finish() = 0;
};

/// A film whose frames are read one at a time.
struct LargeFilm {
    mtdn::FrameSize size;
    mtdn::Index frames = 0;
    std::function<mtdn::Image(mtdn::Index)> read;
    std::function<void(mtdn::Index, const std::map<std::string, mtdn::Mask>&)> take;  ///< each frame's masks, in order
};

/// A model of any kind and backbone on any backend: what the commands need of it.
///
/// Pairs of backbone and backend are instantiated in files of their own, `<backbone>_cpu.cpp` and `networks_cuda.cpp`.
class Network {
public:
    virtual ~Network() = default;

    /// Whether it compares frames; it segments each by itself otherwise.
    virtual bool compares_frames() const = 0;
    virtual const std::vector<std::string>& tasks() const = 0;
    virtual mtdn::Index parameter_count() const = 0;
    virtual std::string device() const = 0;

    /// Loads all weights, or the backbone's alone; returns what was odd.
    virtual std::vector<mtdn::Warning> load(const std::filesystem::path& file) = 0;
    virtual std::vector<mtdn::Warning> load_backbone(const std::filesystem::path& file) = 0;

    /// Writes the weights, those of convolutions in half precision if so asked, and what the model is made of.
    virtual void save(const std::filesystem::path& file, bool half) const = 0;

    /// The fusion is not looked at where frames are not compared.
    virtual mtdn::Segmentation segment(const mtdn::Images& frames, const mtdn::AnyPredictionFusion& fusion,
                                       const mtdn::SegmentOptions& options) const = 0;
    /// Segments while the film is being taken; valid as long as the network.
    virtual std::unique_ptr<LiveFilm> live(mtdn::LiveFusion fusion) const = 0;
    /// Segments by tiles, two frames in memory; returns tiles a frame, and tiles run through the backbone.
    virtual std::pair<mtdn::Index, mtdn::Index> segment_tiles(const LargeFilm& film,
                                                              const mtdn::AnyPredictionFusion& fusion,
                                                              const mtdn::TileOptions& options) const = 0;
    /// Logits of one pair by task, (height, width, 4).
    ///
    /// @throws OptionError if it does not compare frames
    virtual std::map<std::string, mtdn::Array<float, 3>> change(const mtdn::Images& two_frames) const = 0;
    /// A sequence's masks by each partner alone, by task.
    ///
    /// @throws OptionError if it does not compare frames
    virtual std::map<std::string, mtdn::PartnerMasks> partner_masks(const mtdn::Sequence& sequence) const = 0;
    /// Trains, writing the run's files as it goes; the model then has its best weights.
    virtual std::vector<mtdn::EpochRecord> train(const mtdn::Dataset& data, const mtdn::TrainOptions& options,
                                                 const RunOptions& run) = 0;
};

/// A model as described, with fresh weights drawn from the seed.
///
/// @throws OptionError if the program has no such backbone; BackendError if it cannot use the device that is named
std::unique_ptr<Network> make_network(const mtdn::ModelDescription& description, const Machine& machine,
                                      std::uint64_t seed);

/// The model in a file, warnings printed.
std::unique_ptr<Network> open_network(const std::filesystem::path& file, const Machine& machine);

inline constexpr const char* flips_help = "Averages probabilities over 4 mirrored views of the frames, or 8 that are "
                                          "turned, too; costs as many times as much";

/// Options whose progress is shown on standard error, where that is a terminal.
mtdn::SegmentOptions with_progress(const std::string& what);

// One for each backbone and backend.
std::unique_ptr<Network> make_unet_cpu(const mtdn::ModelDescription& description, const Machine& machine,
                                       std::uint64_t seed);
std::unique_ptr<Network> make_residual_cpu(const mtdn::ModelDescription& description, const Machine& machine,
                                           std::uint64_t seed);
std::unique_ptr<Network> make_unet_cuda(const mtdn::ModelDescription& description, const Machine& machine,
                                        std::uint64_t seed);
std::unique_ptr<Network> make_residual_cuda(const mtdn::ModelDescription& description, const Machine& machine,
                                            std::uint64_t seed);
