#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/data/resize.hpp>
#include <mtdn/experiment/gradient_exchange.hpp>
#include <mtdn/experiment/step_input.hpp>
#include <mtdn/experiment/weight_average.hpp>
#include <mtdn/nn/flat.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/optim/adamw.hpp>
#include <mtdn/optim/clip.hpp>
#include <mtdn/optim/schedule.hpp>
#include <mtdn/optim/sgd.hpp>

namespace mtdn {

/// Where a run stands: what a checkpoint holds besides the tensors. Times are not part of it.
struct TrainingPosition {
    Index epoch = 0;         ///< being worked on
    Index batch = 0;         ///< next of that epoch
    double loss_sum = 0;     ///< over the pairs of that epoch so far
    Index loss_pairs = 0;    ///< their number
    double best = -std::numeric_limits<double>::infinity();  ///< selection score
    Index best_epoch = -1;
    double last = std::numeric_limits<double>::quiet_NaN();  ///< latest selection score
    std::vector<EpochRecord> curve;
};

/// Trains a model, a step at a time: a Siamese one on pairs, a single-frame one on frames (`Objective`).
///
/// Every step is a function of (options, data, position, weights, optimizer state): a run that is stopped anywhere and
/// taken up again from these ends with the same bits.
///
/// Ranks share each batch's items and end every step with the same weights: those of one process up to rounding.
template <class Model>
class Trainer {
public:
    using B = typename Model::Backend;

    /// @param data training and validation sequences; scaled to `options.size`, validated at their own size
    /// @param loss makes each task's loss; none: as `options.loss` says
    /// @throws OptionError, DataError, ShapeError for what does not fit together
    [[gnu::cold]] Trainer(Model& model, const Dataset& data, TrainOptions options, const LossFactory<B>& loss = {})
        : model_(model), options_(std::move(options)),
          training_(options_.size > 0 ? resized(data, options_.size) : data), validation_(data),
          sequences_(training_.train()), sampler_(Objective<Model>::sampler(sequences_.frame_counts(), options_)),
          schedule_(make_schedule(options_.schedule, options_.epochs, options_.warm_up)),
          optimizer_(make_optimizer(options_)), tape_(model.backend(), options_.kept, options_.ranks),
          steps_(model.backend()), input_(model, sequences_, options_) {
        require<OptionError>(options_.epochs > 0, "Trainer: epochs must be positive, got ", options_.epochs);
        require<OptionError>(options_.epoch_pairs >= 0, "Trainer: epoch_pairs must not be negative, got ",
                             options_.epoch_pairs);
        require<OptionError>(options_.rate > 0, "Trainer: the rate must be positive, got ", options_.rate);
        require<DataError>(!sequences_.empty(), "Trainer: the dataset has no training sequence");
        require<OptionError>(options_.clique >= 0, "Trainer: clique must not be negative, got ", options_.clique);
        const Index cliques = options_.batch / std::max<Index>(1, options_.clique * options_.clique);
        require<OptionError>(cliques >= options_.ranks.size(), "Trainer: a batch of ", options_.batch, " pairs",
                             options_.clique > 0 ? ", in cliques, which are not cut," : "", " cannot be shared by ",
                             options_.ranks.size(), " ranks");
        if (options_.size > 0) model_.set_size(options_.size);
        require<OptionError>(options_.frozen_epochs >= 0, "Trainer: frozen_epochs must not be negative, got ",
                             options_.frozen_epochs);
        if (options_.deep_supervision != 0) add_auxiliary_heads();
        if (tape_.shared()) begin_alike();
        parameters_ = detail::parameters_of<B>(model_);
        detail::add_gradients(model_.parameters(), parameters_);
        groups_ = make_groups(true);
        if (options_.frozen_epochs > 0) groups_without_backbone_ = make_groups(false);
        make_losses(loss);
        if (options_.ema != 0) average_.emplace(model_.parameters(), detail::state_items(model_), options_.ema);
        if (!tape_.shared()) return;
        exchange_.emplace(model_.parameters(), options_.bucket);
        tape_.on_way_back([this] { exchange_->advance(tape_); });
    }

    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    /// Where the run stands; losses that are still being worked out are waited for.
    const TrainingPosition& position() {
        read_loss();
        return position_;
    }
    const TrainOptions& options() const { return options_; }
    Model& model() { return model_; }
    const Model& model() const { return model_; }
    /// What the optimizer remembers; shared with it.
    OptimizerState<B> optimizer_state() { return optimizer_.state(model_.parameters().values); }
    /// Weights and running statistics of the best validation so far; empty before the first.
    const StateDictionary& best_state() const { return best_; }

    /// Takes up a run: the model's and the optimizer's tensors have been loaded by the caller.
    void set_position(TrainingPosition position, StateDictionary best) {
        awaited_.reset();
        position_ = std::move(position);
        best_ = std::move(best);
    }

    /// Whether the last epoch is done or patience has run out.
    bool finished() const {
        return position_.epoch >= options_.epochs ||
               (options_.patience > 0 && position_.batch == 0 && position_.best_epoch >= 0 &&
                position_.epoch - 1 - position_.best_epoch >= options_.patience);
    }

    /// Steps of an epoch.
    Index batches() const {
        return options_.epoch_pairs == 0 ? sampler_.batches()
                                         : (options_.epoch_pairs + options_.batch - 1) / options_.batch;
    }

    /// One step, and behind an epoch's last batch the validation. Returns whether the epoch is done.
    ///
    /// On a backend that queues its work the loss is read in the step after, so that is where an Error comes from.
    bool step() {
        const auto begin = std::chrono::steady_clock::now();
        // The sampler's order is another one in every round; an epoch is the first batches of one, or of several.
        const Index all = sampler_.batches(), rounds = (batches() + all - 1) / all;
        const Index round = position_.epoch * rounds + position_.batch / all;
        sampler_.batch(round, position_.batch % all, batch_);
        learn(batch_, round);
        pairs_done_ += Objective<Model>::items(batch_);
        ++position_.batch;
        const bool epoch_done = position_.batch == batches();
        if (epoch_done) finish_epoch(epoch_seconds_ + seconds_since(begin));
        epoch_seconds_ = epoch_done ? 0 : epoch_seconds_ + seconds_since(begin);
        return epoch_done;
    }

    /// Steps until finished, out of time, or `after_step(*this, epoch_done)` returns false, which it does on all ranks
    /// or on none.
    template <class AfterStep>
    void run(AfterStep&& after_step) {
        const auto begin = std::chrono::steady_clock::now();
        pairs_done_ = 0;
        while (!finished()) {
            const Index epoch = position_.epoch;
            const double rate = current_rate();
            const bool epoch_done = step();
            const double seconds = seconds_since(begin);
            const bool tells = options_.ranks.rank() == 0;
            if (tells && options_.progress) report(epoch, rate, epoch_done, seconds);
            if (tells && epoch_done && options_.on_epoch) options_.on_epoch(position_.curve.back());
            const bool goes_on = after_step(*this, epoch_done);
            double late = seconds > options_.max_seconds ? 1 : 0;  // by the clock of rank 0
            if (std::isfinite(options_.max_seconds)) options_.ranks.broadcast(std::span(&late, 1));
            if (!goes_on || late > 0) break;
        }
        read_loss();
    }

    /// Whether a moving average of the weights is kept.
    bool averages() const { return average_.has_value(); }
    /// As long as what it returns lives, the model has the weights that are validated: the averaged ones, if there are.
    auto validated_weights() { return typename WeightAverage<B>::InPlace(average_ ? &*average_ : nullptr); }

    /// Gives the model the weights that training was for: with `keep_best` the best, if there was a validation; else
    /// the average, if one is kept; else the last.
    void settle() {
        if (options_.keep_best && !best_.empty())
            load_state(model_, best_, "Trainer");
        else if (average_)
            average_->settle();
    }

    /// Learning rate of the present epoch.
    double current_rate() const { return options_.rate * schedule_(position_.epoch); }

private:
    [[gnu::cold]] static AnyOptimizer<B> make_optimizer(const TrainOptions& options) {
        if (options.optimizer == "sgd")
            return Sgd<B>({.momentum = options.momentum, .decay = options.weight_decay});
        require<OptionError>(options.optimizer == "adamw", "Trainer: no optimizer \"", options.optimizer,
                             "\"; expected adamw or sgd");
        return AdamW<B>({.decay = options.weight_decay});
    }

    static bool in_backbone(const std::string& path) { return path.starts_with("backbone."); }

    // Runs of neighbouring parameters that are treated alike.
    [[gnu::cold]] std::vector<ParameterGroup> make_groups(bool with_backbone) const {
        std::vector<ParameterGroup> groups;
        for (const auto& entry : model_.parameters().entries) {
            if (!entry.trainable || (!with_backbone && in_backbone(entry.name))) continue;
            const bool decays = options_.decay_norms_and_biases || entry.kind != ParameterKind::vector;
            const Index size = (entry.size + 15) / 16 * 16;
            if (!groups.empty() && groups.back().offset + groups.back().count == entry.offset &&
                groups.back().decay_factor == (decays ? 1.0 : 0.0))
                groups.back().count += size;
            else
                groups.push_back({entry.offset, size, 1.0, decays ? 1.0 : 0.0});
        }
        require<OptionError>(!groups.empty(), "Trainer: no parameter is trainable",
                             with_backbone ? "" : " while the backbone is frozen");
        return groups;
    }

    // The backbone's parameters learn nothing as long as it lives.
    class FrozenBackbone {
    public:
        explicit FrozenBackbone(std::vector<detail::NamedParameter<B>>& parameters) {
            for (auto& [path, parameter] : parameters)
                if (in_backbone(path) && std::exchange(parameter->trainable, false)) frozen_.push_back(parameter);
        }
        FrozenBackbone(const FrozenBackbone&) = delete;
        ~FrozenBackbone() {
            for (auto* parameter : frozen_) parameter->trainable = true;
        }

    private:
        std::vector<Parameter<B>*> frozen_;
    };

    void make_losses(const LossFactory<B>& loss) {
        for (const auto& [task, weight] : options_.task_weights)
            require<OptionError>(std::count(model_.tasks().begin(), model_.tasks().end(), task) > 0,
                                 "Trainer: a loss weight for \"", task, "\", which is no task of the model");
        for (const auto& task : model_.tasks()) {
            ClassCounts<Objective<Model>::classes> counts;
            bool labelled = false;
            for (const Sequence& sequence : sequences_) {
                const auto found = sequence.masks.find(task);
                if (found == sequence.masks.end()) continue;
                labelled = true;
                counts += Objective<Model>::counts(options_, found->second);
            }
            require<DataError>(labelled, "Trainer: no training sequence has masks of task \"", task, "\"");
            std::vector<double> weights;
            if (options_.loss.beta > 0) weights = class_weights(counts, options_.loss.beta);
            losses_.push_back(loss ? loss(model_.backend(), weights)
                                   : make_loss(model_.backend(), options_.loss, weights));
            const auto weight = options_.task_weights.find(task);
            loss_weights_.push_back(weight == options_.task_weights.end() ? 1 : weight->second);
        }
    }

    // Parameters that were frozen begin with no moments, so those of the others would have too short a memory beside
    // them.
    [[gnu::cold]] void begin_optimizer_anew() {
        auto state = optimizer_state();
        for (auto& [name, tensor] : state.tensors) model_.backend().fill(tensor, 0);
        *state.step = 0;
    }

    static constexpr bool decodes_levels =
        requires(Model& model, Random& random) { model.add_auxiliary_heads(random); };

    [[gnu::cold]] void add_auxiliary_heads() {
        require<OptionError>(options_.deep_supervision > 0, "Trainer: deep_supervision must not be negative, got ",
                             options_.deep_supervision);
        if constexpr (decodes_levels) {
            Random random(options_.seed, "auxiliary heads");
            model_.add_auxiliary_heads(random);
        } else {
            fail<OptionError>("Trainer: deep_supervision is ", options_.deep_supervision,
                              ", but the model's backbone does ",
                              "not give its decoder's coarser levels; expected a PyramidDecoder, as UNet is one, or 0");
        }
    }

    LevelLogits<B> logits_of(const Variable<B>& frames, Pass<B>& pass) const {
        if constexpr (decodes_levels)
            if (options_.deep_supervision > 0)
                return Objective<Model>::logits_of_levels(model_, frames, input_.data(), pass);
        return LevelLogits<B>(Objective<Model>::logits(model_, frames, input_.data(), pass));
    }

    // Gives every rank the model of rank 0.
    [[gnu::cold]] void begin_alike() {
        auto state = state_of(model_);
        for (auto& entry : state) options_.ranks.broadcast(entry.second.values);
        load_state(model_, state, "Trainer");
    }

    // Forward, backward, update.
    void learn(const Batch& batch, Index round) {
        share_of(batch, options_.ranks.rank(), options_.ranks.size(), share_);
        tape_.set_counts(share_.counts);
        std::optional<FrozenBackbone> frozen_backbone;
        const bool freezes = position_.epoch < options_.frozen_epochs;
        if (freezes) frozen_backbone.emplace(parameters_);
        if (options_.frozen_epochs > 0 && position_.epoch == options_.frozen_epochs && position_.batch == 0)
            begin_optimizer_anew();
        Step<B>& step = input_.prepare(batch, share_, round, freezes, steps_);
        steps_.run(step, [&] { differentiate(step); });
        optimizer_.step(model_.parameters().values, model_.parameters().gradients,
                        freezes ? groups_without_backbone_ : groups_, current_rate());
        for (const auto& [path, parameter] : parameters_) ++parameter->version;
        if (average_) average_->update(position_.epoch * batches() + position_.batch);
        if constexpr (LateNumber<B>::late) {
            read_loss();  // of the step before, while this one is being worked on
            expect(step.loss);
        }
    }

    // A step up to the gradients, and the running statistics: what is equal for all steps of a kind.
    void differentiate(Step<B>& step) {
        B& backend = model_.backend();
        tape_.clear();
        input_.place(step);
        backend.fill(model_.parameters().gradients, 0);
        const bool frozen = options_.batch_norm == BatchNormPolicy::frozen;
        Pass<B> pass(tape_, frozen ? Statistics::running : Statistics::batch);
        pass.set_groups(Objective<Model>::groups(options_));
        const auto logits = logits_of(pass.input(step.input), pass);
        Variable<B> loss;
        for (std::size_t i = 0; i < logits.size(); ++i) {
            const std::size_t task = i % losses_.size();
            const int level = static_cast<int>(i / losses_.size());
            const double weight = level == 0 ? 1 : std::ldexp(options_.deep_supervision, -level);
            const auto term = scale(losses_[task](logits[i], step.labels[task]), weight * loss_weights_[task]);
            loss = i == 0 ? term : add(loss, term);
        }
        step.loss = value_of(loss);
        if constexpr (!LateNumber<B>::late) {
            expect(step.loss);
            read_loss();
        }
        if (exchange_) exchange_->begin();
        tape_.backward(loss);
        if (exchange_) exchange_->finish(tape_);
        if (options_.clip > 0) limit_gradients(model_.parameters().gradients, options_.clip);
        step.counted.clear();
        for (const auto& staged : pass.staged()) step.counted.emplace_back(staged.batches, staged.mean.shape().frames);
        pass.commit();
    }

    // Notes the present step's loss, to be read by `read_loss`.
    void expect(const Tensor<B>& loss) {
        awaited_ = AwaitedLoss{LateNumber<B>(loss), position_.epoch, position_.batch, Objective<Model>::items(batch_)};
    }

    // Reads the loss that was noted last, if it has not been read.
    void read_loss() {
        if (!awaited_) return;
        const AwaitedLoss of = *awaited_;
        awaited_.reset();
        const double loss = of.number.read();
        require<Error>(std::isfinite(loss), "Trainer: the loss became ", loss, " in epoch ", of.epoch, ", batch ",
                       of.batch, "; lower the rate, or clip the gradient");
        position_.loss_sum += loss * static_cast<double>(of.pairs);
        position_.loss_pairs += of.pairs;
    }

    void finish_epoch(double seconds) {
        const auto begin = std::chrono::steady_clock::now();
        read_loss();
        EpochRecord record{position_.epoch, current_rate(),
                           position_.loss_sum / static_cast<double>(position_.loss_pairs),
                           std::numeric_limits<double>::quiet_NaN(), {}, 0};
        if (!validation_.validation().empty()) {
            const auto averaged = validated_weights();
            const auto selection = selection_score(model_, validation_.validation(), options_.ranks);
            record.validation = position_.last = selection.mean;
            record.validation_tasks = selection.tasks;
            if (selection.mean > position_.best) {
                position_.best = selection.mean;
                position_.best_epoch = position_.epoch;
                best_ = state_of(model_);
            }
        }
        record.seconds = seconds + seconds_since(begin);
        position_.curve.push_back(std::move(record));
        position_.loss_sum = 0;
        position_.loss_pairs = 0;
        position_.batch = 0;
        ++position_.epoch;
    }

    [[gnu::cold]] void report(Index epoch, double rate, bool epoch_done, double seconds) const {
        const Index left = (options_.epochs - position_.epoch) * batches() - position_.batch;
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const double each = seconds / std::max(1.0, static_cast<double>(pairs_done_));
        // Of a step whose loss is still being worked out nothing is known.
        const double loss = epoch_done ? position_.curve.back().loss
                                       : position_.loss_sum / static_cast<double>(position_.loss_pairs);
        const double remaining = std::min(each * static_cast<double>(left * options_.batch),
                                          std::max(0.0, options_.max_seconds - seconds));
        options_.progress({epoch, options_.epochs, epoch_done ? batches() : position_.batch, batches(),
                           pairs_done_, seconds, rate, loss, position_.last,
                           position_.best_epoch >= 0 ? position_.best : nan, remaining, epoch_done});
    }

    static double seconds_since(std::chrono::steady_clock::time_point begin) {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }

    Model& model_;
    TrainOptions options_;
    Dataset training_;
    Dataset validation_;
    SequenceView sequences_;  // of training_
    AnyBatchSampler sampler_;
    AnySchedule schedule_;
    AnyOptimizer<B> optimizer_;
    Tape<B> tape_;
    StepKinds<B> steps_;
    StepInput<Model> input_;
    std::optional<GradientExchange<B>> exchange_;  // with other ranks, if there are any
    std::optional<WeightAverage<B>> average_;
    std::vector<detail::NamedParameter<B>> parameters_;
    std::vector<ParameterGroup> groups_, groups_without_backbone_;
    std::vector<AnyLoss<B>> losses_;
    std::vector<double> loss_weights_;
    struct AwaitedLoss {
        LateNumber<B> number;
        Index epoch, batch, pairs;
    };
    std::optional<AwaitedLoss> awaited_;
    // Memory that steps use again.
    Batch batch_;
    Share share_;
    TrainingPosition position_;
    StateDictionary best_;
    Index pairs_done_ = 0;
    double epoch_seconds_ = 0;
};

}  // namespace mtdn
