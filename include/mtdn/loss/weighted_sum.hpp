#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
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
    /// "focal", "cross-entropy", "dice", "tversky", or a sum such as "focal+dice:0.5" or "focal+tversky:1:0.4:0.6" (see
    /// `loss_terms`)
    std::string name = "focal";
    double gamma = 2;                         ///< focal: focusing exponent
    double beta = 1;                          ///< class weights (total / count)^β; 0: none
    Reduction reduction = Reduction::pixels;  ///< focal and cross-entropy: what the sum is divided by
    double smoothing = 0;                     ///< focal: the published experiment's variant if > 0 (there 1e-5)
    /// Tversky: its weights, where the name does not give them
    TverskyOptions tversky{.false_positives = 0.3, .false_negatives = 0.7};
};

/// A term of a sum of losses.
struct LossTerm {
    std::string name;
    double weight = 1;
    std::optional<TverskyOptions> tversky{};  ///< its weights, if they are given
};

namespace detail {
/// Takes a positive number from the front of a text, up to its next colon or its end.
[[gnu::cold]] inline double take_number(std::string& text, const std::string& what) {
    const std::string field = text.substr(0, text.find(':'));
    double value = 0;
    const char* const last = field.data() + field.size();
    const auto [stop, error] = std::from_chars(field.data(), last, value);
    require<OptionError>(error == std::errc{} && stop == last && std::isfinite(value) && value > 0, "make_loss: ", what,
                         " must be a positive number, got \"", field, "\"");
    text.erase(0, field.size());
    return value;
}
}  // namespace detail

/// The terms of a sum of losses, `focal+dice:0.5`, each with its weight, 1 where none is written; behind that of
/// Tversky may stand what it counts false positives and false negatives: `tversky:1:0.4:0.6`.
///
/// @throws OptionError if a term is no loss that has a name, or a number of its is not positive
[[gnu::cold]] inline std::vector<LossTerm> loss_terms(const std::string& text) {
    std::vector<LossTerm> terms;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('+', begin), text.size());
        const std::string term = text.substr(begin, end - begin), name = term.substr(0, term.find(':'));
        require<OptionError>(name == "focal" || name == "cross-entropy" || name == "dice" || name == "tversky",
                             "make_loss: no loss \"", name, "\"; expected focal, cross-entropy, dice, tversky, or ",
                             "several joined by +, each with its weight if that is not 1: focal+dice:0.5");
        LossTerm& last = terms.emplace_back(LossTerm{.name = name});
        std::string numbers = term.substr(name.size());
        const auto next = [&] { return !numbers.empty() && (numbers.erase(0, 1), true); };
        if (next()) last.weight = detail::take_number(numbers, "the weight of " + name);
        if (name == "tversky" && next()) {
            last.tversky.emplace();
            last.tversky->false_positives = detail::take_number(numbers, "Tversky's weight of false positives");
            require<OptionError>(next(), "make_loss: \"", term, "\" gives Tversky's weight of false positives alone; ",
                                 "expected that of false negatives behind it: tversky:1:0.4:0.6");
            last.tversky->false_negatives = detail::take_number(numbers, "Tversky's weight of false negatives");
        }
        require<OptionError>(numbers.empty(), "make_loss: \"", term, "\" has too many numbers; expected ",
                             name == "tversky" ? "tversky:WEIGHT:FALSE_POSITIVES:FALSE_NEGATIVES" : name + ":WEIGHT");
        begin = end + 1;
    }
    return terms;
}

/// The loss that the options name, with these class weights where it takes any.
///
/// @throws OptionError as `loss_terms`
template <Backend B>
[[gnu::cold]] AnyLoss<B> make_loss(B& backend, const LossOptions& options, std::span<const double> class_weights = {}) {
    std::vector<std::pair<double, AnyLoss<B>>> terms;
    for (const auto& [name, weight, tversky] : loss_terms(options.name)) {
        if (name == "focal")
            terms.emplace_back(
                weight, FocalLoss<B>(backend, {options.gamma, options.reduction, options.smoothing}, class_weights));
        else if (name == "cross-entropy")
            terms.emplace_back(weight, cross_entropy(backend, class_weights, options.reduction));
        else
            terms.emplace_back(weight,
                               name == "dice" ? TverskyLoss<B>() : TverskyLoss<B>(tversky.value_or(options.tversky)));
    }
    if (terms.size() == 1 && terms.front().first == 1) return std::move(terms.front().second);
    return WeightedSum<B>(std::move(terms));
}

}  // namespace mtdn
