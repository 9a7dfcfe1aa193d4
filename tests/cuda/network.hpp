#pragma once

// A whole network on a backend, for what is measured of it and for what must be equal on all backends.
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/queued.hpp>
#include <mtdn/backend/testing/checks.hpp>
#include <mtdn/loss/focal.hpp>
#include <mtdn/optim/adamw.hpp>
#include <mtdn/siamese/siamese.hpp>

namespace mtdn::testing {

struct NetworkSize {
    Index width = 32;
    Index size = 256;  ///< side of a frame, pixels
    Index pairs = 1;
    Index depth = 4;
    Index clique = 0;  ///< so many frames and all their pairs, instead of random pairs
    bool graph = false;  ///< steps and inference are recorded the second time, and played back from then on

    Index frames() const { return clique > 0 ? clique : 2 * pairs; }
    Index items() const { return clique > 0 ? clique * clique : pairs; }
};

/// A model of two tasks with a batch of random frames and labels, the same on every backend.
template <Backend B>
class Network {
public:
    Network(B& backend, const NetworkSize& of)
        : backend_(backend), of_(of),
          model_{UNet<B>{backend, {.in_channels = 3, .width = of.width, .depth = of.depth}, random_}, Concatenate{},
                 {"A1", "A2"}, random_},
          frames_(backend, {of.frames(), of.size, of.size, 3}), labels_(backend, {of.items(), of.size, of.size, 1}),
          tape_(backend), focal_(backend, {}, std::vector<double>{0.5, 1, 2, 4}) {
        using T = typename B::Scalar;
        std::vector<T> values(static_cast<std::size_t>(frames_.shape().size()));
        for (T& value : values) value = static_cast<float>(random_.uniform(-1, 1));
        backend.upload(std::span<const T>(values), View<B, T>(frames_));
        std::vector<std::uint8_t> codes(static_cast<std::size_t>(labels_.shape().size()));
        for (auto& code : codes) code = static_cast<std::uint8_t>(random_.below(4));
        backend.upload(std::span<const std::uint8_t>(codes), View<B, std::uint8_t>(labels_));
        for (Index i = 0; i < of.items(); ++i)
            pairs_.push_back(of.clique > 0 ? Pair{i / of.clique, i % of.clique} : Pair{i, of.pairs + i});
        enable_gradients(model_.parameters(), model_);
    }

    /// Forward, both losses, backward, AdamW, running statistics; the loss. `answer` is set to both tasks' logits.
    double step(std::vector<Tensor<B>>* answer = nullptr) {
        queue_step();
        if (answer) *answer = logits_;
        return values_of(loss_)[0];
    }
    /// The same without the loss, for which the host has to wait.
    void queue_step() {
        auto& flat = model_.parameters();
        const std::vector<ParameterGroup> all{{0, flat.values.shape().size()}};
        queue(0, [&] { differentiate(); });
        adamw_.step(flat.values, flat.gradients, all, 1e-4);
    }

    /// Both tasks' logits, by running statistics.
    std::vector<Tensor<B>> inference() {
        queue(1, [&] {
            logits_.clear();
            Pass<B> pass(backend_);
            for (const auto& logits : model_.compare(model_.features(pass.input(frames_), pass), pairs_, pass))
                logits_.push_back(value_of(logits));
        });
        return logits_;
    }

    /// Every frame compared with every frame, as the ensemble's fusion does it: features and heads' first convolutions
    /// once a frame, then one query at a time.
    void ensemble() {
        queue(2, [&] {
            Pass<B> pass(backend_);
            const auto slots = model_.slots(model_.features(pass.input(frames_), pass), pass);
            for (Index query = 0; query < of_.frames(); ++query) {
                std::vector<Pair> pairs;
                for (Index partner = 0; partner < of_.frames(); ++partner) pairs.push_back({query, partner});
                if constexpr (requires { model_.classes(slots, pairs, pass); })
                    model_.classes(slots, pairs, pass);
                else
                    for (const auto& logits : model_.compare(slots, pairs, pass))
                        backend_.arg_max(value_of(logits), codes_);
            }
        });
    }

    const Tensor<B>& parameters() { return model_.parameters().values; }

private:
    void differentiate() {
        backend_.fill(model_.parameters().gradients, 0);
        Pass<B> pass(tape_);
        pass.set_groups(of_.clique > 0 ? 1 : 2);
        const auto logits = model_.compare(model_.features(pass.input(frames_), pass), pairs_, pass);
        logits_ = {value_of(logits[0]), value_of(logits[1])};
        const auto loss = add(focal_(logits[0], labels_), focal_(logits[1], labels_));
        loss_ = value_of(loss);
        tape_.backward(loss);
        pass.commit();
    }

    // Does some work, or plays it back.
    template <class Work>
    void queue(std::size_t kind, const Work& work) {
        if constexpr (QueuedBackend<B>) {
            if (of_.graph && done_[kind]++ > 0) {
                if (!recordings_[kind]) recordings_[kind] = backend_.record(work);
                return backend_.replay(recordings_[kind]);
            }
        }
        work();
    }

    struct Nothing {};
    template <class Some>
    static auto recording_of() {
        if constexpr (QueuedBackend<Some>) return typename Some::Recording{};
        else return Nothing{};
    }

    B& backend_;
    NetworkSize of_;
    Random random_{1};
    Siamese<UNet<B>> model_;
    Tensor<B> frames_;
    Tensor<B, std::uint8_t> labels_;
    Tape<B> tape_;
    FocalLoss<B> focal_;
    AdamW<B> adamw_{};
    std::vector<Pair> pairs_;
    std::vector<Tensor<B>> logits_{};
    Tensor<B> loss_{};
    Tensor<B, std::uint8_t> codes_{backend_, {of_.frames(), of_.size, of_.size, 1}};
    std::array<int, 3> done_{};
    std::array<decltype(recording_of<B>()), 3> recordings_{};
};

/// What came of a network: the logits of the first step, the loss of each, in the end the logits by running statistics
/// (those of the first steps are far from the batch's), and its parameters.
struct Course {
    std::vector<double> first_logits, losses, last_logits, parameters;
};

template <Backend B>
Course course_of(B& backend, const NetworkSize& of, int steps) {
    Network<B> network(backend, of);
    Course course;
    const auto append = [](std::vector<double>& to, const Tensor<B>& tensor) {
        for (const auto value : values_of(tensor)) to.push_back(value);
    };
    std::vector<Tensor<B>> logits;
    for (int i = 0; i < steps; ++i) {
        course.losses.push_back(network.step(&logits));
        if (i == 0)
            for (const auto& task : logits) append(course.first_logits, task);
    }
    for (const auto& task : network.inference()) append(course.last_logits, task);
    append(course.parameters, network.parameters());
    return course;
}

/// How far a course may be from another: parts of the logits' size (root mean square), and of each loss.
struct CourseBounds {
    double first_logits, losses, last_logits;
};

/// Where a network went another way than expected.
inline std::vector<std::string> check_course(const Course& ours, const Course& expected, const CourseBounds& bounds) {
    std::vector<std::string> failures;
    const auto check = [&](const char* what, const std::vector<double>& logits, const std::vector<double>& right,
                           double allowed) {
        const double off = deviation(logits, right).rms;
        if (!(off <= allowed))
            failures.push_back(concatenate(what, " are off by ", off, "; at most ", allowed, " is allowed"));
    };
    check("the first step's logits", ours.first_logits, expected.first_logits, bounds.first_logits);
    check("the last logits", ours.last_logits, expected.last_logits, bounds.last_logits);
    for (std::size_t i = 0; i < ours.losses.size(); ++i)
        if (!(std::abs(ours.losses[i] - expected.losses[i]) <= bounds.losses * std::abs(expected.losses[i])))
            failures.push_back(concatenate("step ", i, ": the loss is ", ours.losses[i], ", expected ",
                                           expected.losses[i], " within a part of ", bounds.losses));
    return failures;
}

/// Where the same network, trained twice, differs in any bit.
inline std::vector<std::string> check_equal_bits(const Course& ours, const Course& again) {
    std::vector<std::string> failures;
    if (ours.first_logits != again.first_logits || ours.last_logits != again.last_logits)
        failures.push_back("logits differ from run to run");
    if (ours.losses != again.losses) failures.push_back("losses differ from run to run");
    if (ours.parameters != again.parameters) failures.push_back("trained parameters differ from run to run");
    return failures;
}

}  // namespace mtdn::testing
