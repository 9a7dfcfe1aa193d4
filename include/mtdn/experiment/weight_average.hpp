#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <mtdn/nn/flat.hpp>
#include <mtdn/nn/state.hpp>

namespace mtdn {

/// Exponential moving average of a model's weights over the steps of its training.
///
/// Step n, from 0, makes it d · average + (1 − d) · weights with d = min(decay, (1 + n)/(10 + n)): while n is small it
/// reaches over a tenth of the steps, so that the random weights of the beginning are soon forgotten.
///
/// Running statistics of batch norm are averaged in the same way: the averaged weights' own would take a pass over the
/// data, and the latest belong to other weights altogether.
template <Backend B>
class WeightAverage {
public:
    /// Begins as the weights that there are.
    ///
    /// @param items the model's state; its parts must stay where they are
    /// @throws OptionError if the decay is not in (0, 1)
    [[gnu::cold]]
    WeightAverage(const FlatParameters<B>& parameters, const std::vector<detail::StateItem>& items, double decay)
        : decay_(decay) {
        require<OptionError>(decay > 0 && decay < 1, "WeightAverage: the decay must lie between 0 and 1, got ", decay);
        add(parameters.values);
        for (const auto& item : items) {
            if (item.version)
                versions_.push_back(item.version);  // of a parameter, a piece of the values
            else if (!item.counter)
                add(*static_cast<const Tensor<B>*>(item.place));
        }
    }

    /// Takes in what step n has left; memory is that of the beginning.
    void update(Index n) {
        const auto steps = static_cast<double>(n);
        const double keeps = std::min(decay_, (1 + steps) / (10 + steps));
        for (const auto& [ours, average] : twins_) ours.backend().combine(keeps, average, 1 - keeps, ours, average);
    }

    /// As long as it lives, the model has the average for its weights, and what is done to them is done to the average.
    /// Holds the model's own, so that giving them back cannot fail.
    class InPlace {
    public:
        /// @param average none: the model keeps its weights
        [[gnu::cold]] explicit InPlace(WeightAverage* average) : average_(average) {
            if (!average_) return;
            for (const auto& [ours, mean] : average_->twins_) {
                own_.emplace_back(ours.backend(), ours.shape());
                ours.backend().copy(ours, own_.back());
            }
            average_->settle();
        }
        InPlace(const InPlace&) = delete;
        InPlace& operator=(const InPlace&) = delete;
        [[gnu::cold]] ~InPlace() {
            for (std::size_t i = 0; i < own_.size(); ++i) {
                const auto& [ours, mean] = average_->twins_[i];
                ours.backend().copy(ours, mean);
                ours.backend().copy(own_[i], ours);
            }
            if (average_) average_->touch();
        }

    private:
        WeightAverage* average_;
        std::vector<Tensor<B>> own_;
    };

    /// Gives the model the average for good.
    [[gnu::cold]] void settle() {
        for (const auto& [ours, average] : twins_) ours.backend().copy(average, ours);
        touch();
    }

private:
    // The parameters have other values now.
    void touch() {
        for (auto* counter : versions_) ++*counter;
    }

    void add(const Tensor<B>& ours) {
        twins_.emplace_back(ours, Tensor<B>(ours.backend(), ours.shape()));
        ours.backend().copy(ours, twins_.back().second);
    }

    double decay_;
    std::vector<std::pair<Tensor<B>, Tensor<B>>> twins_;  // the model's, which are shared with it, and their average
    std::vector<std::uint64_t*> versions_;
};

}  // namespace mtdn
