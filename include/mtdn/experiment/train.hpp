#pragma once

#include <limits>
#include <vector>

#include <mtdn/experiment/progress.hpp>
#include <mtdn/experiment/trainer.hpp>

namespace mtdn {

/// What a training run came to.
struct TrainResult {
    std::vector<EpochRecord> curve;  ///< one record an epoch
    Index best_epoch = -1;           ///< of the best validation score; −1 without validation sequences
    double best = 0;                 ///< that score; NaN without
};

/// Trains a model on a dataset's training sequences, validating on its validation sequences.
///
/// @param loss makes each task's loss; none: as `options.loss` says
/// @throws OptionError, DataError, ShapeError for what does not fit together; Error if the loss is no longer finite
/// @source paper §2.4
template <class Model>
[[gnu::cold]] TrainResult train(Model& model, const Dataset& data, const TrainOptions& options = {},
                                const LossFactory<typename Model::Backend>& loss = {}) {
    Trainer<Model> trainer(model, data, options, loss);
    trainer.run([](auto&, bool) { return true; });
    trainer.settle();
    const auto& position = trainer.position();
    return {position.curve, position.best_epoch,
            position.best_epoch >= 0 ? position.best : std::numeric_limits<double>::quiet_NaN()};
}

}  // namespace mtdn
