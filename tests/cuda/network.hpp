#pragma once

// A whole network on a backend, for what is measured of it and for what must be equal on all backends.
#include <cmath>
#include <string>
#include <vector>

#include <mtdn/backbone/unet.hpp>
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
};

/// A model of two tasks with a batch of random frames and labels, the same on every backend.
template <Backend B>
class Network {
public:
    Network(B& backend, const NetworkSize& of)
        : backend_(backend), model_{UNet<B>{backend, {.in_channels = 3, .width = of.width, .depth = of.depth}, random_},
                                    Concatenate{}, {"A1", "A2"}, random_},
          frames_(backend, {2 * of.pairs, of.size, of.size, 3}), labels_(backend, {of.pairs, of.size, of.size, 1}),
          tape_(backend), focal_(backend, {}, std::vector<double>{0.5, 1, 2, 4}) {
        using T = typename B::Scalar;
        std::vector<T> values(static_cast<std::size_t>(frames_.shape().size()));
        for (T& value : values) value = static_cast<float>(random_.uniform(-1, 1));
        backend.upload(std::span<const T>(values), View<B, T>(frames_));
        std::vector<std::uint8_t> codes(static_cast<std::size_t>(labels_.shape().size()));
        for (auto& code : codes) code = static_cast<std::uint8_t>(random_.below(4));
        backend.upload(std::span<const std::uint8_t>(codes), View<B, std::uint8_t>(labels_));
        for (Index i = 0; i < of.pairs; ++i) pairs_.push_back({i, of.pairs + i});
        enable_gradients(model_.parameters(), model_);
    }

    /// Forward, both losses, backward, AdamW, running statistics; the loss. `answer` is set to both tasks' logits.
    double step(std::vector<Tensor<B>>* answer = nullptr) {
        auto& flat = model_.parameters();
        const std::vector<ParameterGroup> all{{0, flat.values.shape().size()}};
        backend_.fill(flat.gradients, 0);
        Pass<B> pass(tape_);
        pass.set_groups(2);
        const auto logits = model_.compare(model_.features(pass.input(frames_), pass), pairs_, pass);
        if (answer) *answer = {value_of(logits[0]), value_of(logits[1])};
        const auto loss = add(focal_(logits[0], labels_), focal_(logits[1], labels_));
        const Tensor<B> value = value_of(loss);
        tape_.backward(loss);
        adamw_.step(flat.values, flat.gradients, all, 1e-4);
        pass.commit();
        return values_of(value)[0];  // there when the step's forward half is done; the rest may go on
    }

    /// Both tasks' logits, by running statistics.
    std::vector<Tensor<B>> inference() {
        Pass<B> pass(backend_);
        std::vector<Tensor<B>> all;
        for (const auto& logits : model_.compare(model_.features(pass.input(frames_), pass), pairs_, pass))
            all.push_back(value_of(logits));
        return all;
    }

    const Tensor<B>& parameters() { return model_.parameters().values; }

private:
    B& backend_;
    Random random_{1};
    Siamese<UNet<B>> model_;
    Tensor<B> frames_;
    Tensor<B, std::uint8_t> labels_;
    Tape<B> tape_;
    FocalLoss<B> focal_;
    AdamW<B> adamw_{};
    std::vector<Pair> pairs_;
};

/// What came of a network: the logits of the first step, the loss of each, in the end the logits by running statistics (those of
/// the first steps are far from the batch's), and its parameters.
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
