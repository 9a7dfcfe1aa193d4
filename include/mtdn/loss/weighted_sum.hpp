#pragma once

#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/loss/focal.hpp>
#include <mtdn/loss/tversky.hpp>

namespace mtdn {

/// Σ weight · loss.
template <Backend B>
class WeightedSum {
public:
    /// @throws OptionError if there is no term
    [[gnu::cold]] explicit WeightedSum(std::vector<std::pair<double, AnyLoss<B>>> terms) : terms_(std::move(terms)) {
        require<OptionError>(!terms_.empty(), "WeightedSum: no loss to sum");
    }

    [[gnu::cold]] Variable<B> operator()(const Variable<B>& logits, const Tensor<B, std::uint8_t>& labels) const {
        Variable<B> sum = scale(terms_.front().second(logits, labels), terms_.front().first);
        for (std::size_t i = 1; i < terms_.size(); ++i)
            sum = combine(1, sum, terms_[i].first, terms_[i].second(logits, labels));
        return sum;
    }

private:
    std::vector<std::pair<double, AnyLoss<B>>> terms_;
};

/// Which loss, chosen at run time.
struct LossOptions {
    /// "focal", "cross-entropy", "dice", "tversky", or a sum such as "focal+dice"
    std::string name = "focal";
    double gamma = 2;                         ///< focal: focusing exponent
    double beta = 1;                          ///< class weights (total / count)^β; 0: none
    Reduction reduction = Reduction::pixels;  ///< focal and cross-entropy: what the sum is divided by
    double smoothing = 0;                     ///< focal: the published experiment's variant if > 0 (there 1e-5)
    TverskyOptions tversky{.false_positives = 0.3, .false_negatives = 0.7};  ///< Tversky: its weights
};

/// The loss that the options name, with these class weights where it takes any.
///
/// @throws OptionError if the name is none of those listed at `LossOptions::name`
template <Backend B>
[[gnu::cold]] AnyLoss<B> make_loss(B& backend, const LossOptions& options, std::span<const double> class_weights = {}) {
    std::vector<std::pair<double, AnyLoss<B>>> terms;
    for (std::size_t begin = 0; begin <= options.name.size();) {
        const std::size_t end = std::min(options.name.find('+', begin), options.name.size());
        const std::string name = options.name.substr(begin, end - begin);
        if (name == "focal")
            terms.emplace_back(
                1, FocalLoss<B>(backend, {options.gamma, options.reduction, options.smoothing}, class_weights));
        else if (name == "cross-entropy")
            terms.emplace_back(1, cross_entropy(backend, class_weights, options.reduction));
        else if (name == "dice")
            terms.emplace_back(1, TverskyLoss<B>());
        else if (name == "tversky")
            terms.emplace_back(1, TverskyLoss<B>(options.tversky));
        else
            fail<OptionError>("make_loss: no loss \"", name,
                              "\"; expected focal, cross-entropy, dice, tversky, or several joined by +");
        begin = end + 1;
    }
    if (terms.size() == 1) return std::move(terms.front().second);
    return WeightedSum<B>(std::move(terms));
}

}  // namespace mtdn
