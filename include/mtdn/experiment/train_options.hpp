#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include <mtdn/core/communicator.hpp>
#include <mtdn/data/augmentation.hpp>
#include <mtdn/loss/weighted_sum.hpp>

namespace mtdn {

/// How batch normalisation takes its statistics while training.
enum class BatchNormPolicy : std::uint8_t {
    branch,   ///< over the query frames and over the partner frames apart, as published; a clique has no branches
    stacked,  ///< over all frames of the batch
    frozen,   ///< the running statistics, which stay as they are
};

/// What a trainer tells while it works.
struct TrainProgress {
    Index epoch = 0;           ///< of this step, from 0
    Index epochs = 0;          ///< at most
    Index batch = 0;           ///< batches of this epoch done
    Index batches = 0;         ///< of this epoch
    Index pairs_done = 0;      ///< since the call
    double seconds = 0;        ///< since the call
    double rate = 0;           ///< learning rate
    double loss = 0;           ///< mean over this epoch so far
    double validation = 0;     ///< last selection score; NaN before the first
    double best = 0;           ///< best selection score; NaN before the first
    double remaining_seconds = 0;  ///< to the last epoch at this speed
    bool epoch_done = false;   ///< this was the epoch's last batch, and it was validated
};

/// One epoch's figures.
struct EpochRecord {
    Index epoch = 0;
    double rate = 0;        ///< learning rate
    double loss = 0;        ///< mean over the epoch's pairs
    double validation = 0;  ///< selection score; NaN without validation sequences
    std::map<std::string, double> validation_tasks;  ///< the same by task
    double seconds = 0;     ///< that the epoch took, validation included
};

/// Options of training. The defaults are the published recipe.
struct TrainOptions {
    Index epochs = 500;             ///< at most
    /// an epoch is so many pairs (frames), rounded up to whole batches; 0: all that there are; more than these: as many
    /// batches, from several rounds of all in an order each
    Index epoch_pairs = 0;
    Index batch = 16;               ///< pairs a step; frames, where a single-frame model is trained
    std::string pairs = "ordered_self";  ///< pair policy: unordered, unordered_self, ordered, ordered_self
    Index clique = 0;               ///< K > 0: cliques of K frames instead of random pairs; batch is a multiple of K²
    double rate = 9.5519814e-4;     ///< learning rate of the first epoch
    std::string schedule = "linear";  ///< constant, linear, cosine or step
    Index warm_up = 0;              ///< epochs of linear rise
    std::string optimizer = "adamw";  ///< adamw or sgd
    double weight_decay = 0.01;     ///< AdamW's is decoupled
    double momentum = 0.9;          ///< of sgd
    bool decay_norms_and_biases = true;  ///< false: weight decay on convolution weights alone
    /// the first so many epochs leave the backbone's parameters as they are (its running statistics go on); the
    /// optimizer begins anew behind them
    Index frozen_epochs = 0;
    double clip = 0;                ///< largest norm of the gradient; 0: any
    double ema = 0;                 ///< decay a step of the average of weights that is validated and kept; 0: none
    /// adds, for the decoder's level of 2^-l the resolution (l = 1, 2, …), this · 2^-l · the loss of auxiliary heads
    /// there, which the model is given and weights files leave out; 0: none
    double deep_supervision = 0;
    LossOptions loss = LossOptions();  ///< of every task (written so, or g++ 12 warns at a user's call)
    std::map<std::string, double> task_weights{};  ///< of the tasks' losses; 1 where none is given
    BatchNormPolicy batch_norm = BatchNormPolicy::branch;  ///< source of batch statistics
    /// of what waits for the way back: in bfloat16 a pair takes 14 to 24 % less memory, gradients are 0.1 to 2 % off
    Precision kept = Precision::single;
    AnyAugmentation augmentation = PublishedAugmentation{};  ///< of every frame that is trained on
    /// training frames and masks are kept on the device, 4 bytes a pixel and one a task, and augmented there, where the
    /// backend can do so and the augmentation says what it draws (`DrawnAugmentation`); the steps are the same
    bool resident = true;
    Index patience = 50;            ///< epochs without a better validation score before it stops; 0: never stops early
    Index size = 0;                 ///< frames are scaled so that the longer side has so many pixels; 0: as they are
    std::uint64_t seed = 0;         ///< of order and augmentation
    double max_seconds = std::numeric_limits<double>::infinity();  ///< stops at the end of the batch after this time
    bool keep_best = true;          ///< at the end the model has its best weights, not its last
    std::function<void(const TrainProgress&)> progress{};   ///< called after every step, on rank 0
    std::function<void(const EpochRecord&)> on_epoch{};     ///< called after every epoch, on rank 0
    AnyCommunicator ranks{};        ///< processes that train together, each with the same options, data and model
    Index bucket = 1 << 18;         ///< they sum gradients so many at a time, or a whole parameter's, on the way back
};

}  // namespace mtdn
