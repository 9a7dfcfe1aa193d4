// A loss and a fusion of one's own, used by the same calls as those of the library.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <mtdn/mtdn.hpp>

//[loss
// The Brier score: the mean over pixels of Σ_c w_y (p_c − y_c)², p the softmax and y the label as 0 and 1.
template <mtdn::Backend B>
struct BrierLoss {
    std::vector<double> weights;  // of the classes; none: 1 each

    mtdn::Variable<B> operator()(const mtdn::Variable<B>& logits, const mtdn::Tensor<B, std::uint8_t>& labels) const {
        using Scalar = typename B::Scalar;
        const auto z = mtdn::download(mtdn::value_of(logits));
        const auto y = mtdn::download(labels);
        const auto classes = static_cast<std::size_t>(logits.shape().channels);
        const auto ignored = static_cast<std::size_t>(std::count(y.begin(), y.end(), mtdn::ignore_label));
        const auto counted = static_cast<double>(y.size() - ignored);
        std::vector<Scalar> gradients(z.size());
        std::vector<double> p(classes);
        double loss = 0;
        for (std::size_t pixel = 0; pixel < y.size(); ++pixel) {
            if (y[pixel] == mtdn::ignore_label) continue;
            const Scalar* from = &z[pixel * classes];
            const double largest = *std::max_element(from, from + classes);
            double sum = 0, mean = 0;
            for (std::size_t c = 0; c < classes; ++c) sum += p[c] = std::exp(from[c] - largest);
            const double weight = (weights.empty() ? 1 : weights.at(y[pixel])) / counted;
            for (std::size_t c = 0; c < classes; ++c) {
                p[c] /= sum;
                const double error = p[c] - (c == y[pixel]);
                loss += weight * error * error;
                mean += p[c] * error;
            }
            for (std::size_t c = 0; c < classes; ++c)
                gradients[pixel * classes + c] =
                    static_cast<Scalar>(2 * weight * p[c] * (p[c] - (c == y[pixel]) - mean));
        }
        mtdn::Tensor<B> result(logits.backend(), mtdn::vector_shape(1)), gradient(logits.backend(), logits.shape());
        logits.backend().fill(result, loss);
        mtdn::upload(std::span<const Scalar>(gradients), gradient);
        return mtdn::record_result<B>(logits.tape(), logits.needs_gradient(), result,
                                      [logits, gradient](mtdn::Tape<B>& tape, const mtdn::Tensor<B>& dloss) {
                                          const mtdn::Tensor<B> dlogits(tape.backend(), logits.shape());
                                          tape.backend().combine(mtdn::number_in(dloss), gradient, 0, gradient,
                                                                 dlogits);
                                          mtdn::add_gradient(tape, logits, dlogits);
                                      });
    }
};
//]

//[fusion
// Every frame is compared with the first, the middle and the last, which vote.
struct ThreeFusion {
    std::string name() const { return "three"; }
    std::vector<mtdn::Comparison> partners(mtdn::Index query, mtdn::Index frames) const {
        std::vector<mtdn::Comparison> asked;
        for (const mtdn::Index partner : {mtdn::Index{0}, frames / 2, frames - 1})
            asked.push_back({{query, partner}, mtdn::Slot::query});
        return asked;
    }
    mtdn::PredictionAccumulator accumulator(mtdn::Index height, mtdn::Index width) const { return {height, width}; }
};
static_assert(mtdn::PredictionFusion<ThreeFusion>);
//]

int main() {
    mtdn::Cpu cpu;
    mtdn::Random random{7};
    auto film = mtdn::synthesize({.sequences = 5, .frames = 8, .size = 48});
    auto model = mtdn::Siamese{mtdn::UNet{cpu, {.in_channels = 1, .width = 8, .depth = 3}, random},
                               mtdn::Concatenate{}, film.tasks(), random};
    //[train
    mtdn::train(model, film, {.epochs = 4, .batch = 8, .rate = 3e-3, .progress = mtdn::print_progress},
                [](mtdn::Cpu&, std::span<const double> weights) {
                    BrierLoss<mtdn::Cpu> loss{{weights.begin(), weights.end()}};
                    for (double& weight : loss.weights) weight = std::sqrt(weight);  // rare classes weigh less
                    return loss;
                });
    for (const auto& sequence : film.test())
        std::cout << mtdn::score(mtdn::segment(model, sequence.frames, ThreeFusion{}), sequence.masks) << '\n';
    //]
}
