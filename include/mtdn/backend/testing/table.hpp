#pragma once

#include <iterator>
#include <utility>
#include <vector>

#include <mtdn/backend/testing/cases.hpp>
#include <mtdn/backend/testing/operand_cases.hpp>
#include <mtdn/backend/testing/training_cases.hpp>

namespace mtdn::testing::cases {

template <class T>
void append(std::vector<T>& table, std::vector<T> more) {
    table.insert(table.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Every operation on shapes that are small but awkward: odd sides, single channels and pixels, channels around the
/// widths of vector registers, windows larger than what they step over, slices.
template <Backend B>
std::vector<Case<B>> table() {
    std::vector<Case<B>> all;

    std::vector<Convolution> convolutions{
        {.x = {1, 1, 1, 1}, .out = 1, .window = {.kernel = 1}},
        {.x = {2, 9, 7, 3}, .out = 5, .window = {.kernel = 1}},
        {.x = {1, 8, 8, 32}, .out = 4, .window = {.kernel = 1}},
        {.x = {1, 6, 5, 17}, .out = 33, .window = {.kernel = 1}, .layout = Layout::slice},
        {.x = {1, 3, 3, 2}, .out = 3, .window = {.kernel = 3}},
        {.x = {1, 1, 1, 4}, .out = 3, .window = {.kernel = 3, .padding = 1}},
        {.x = {1, 2, 3, 2}, .out = 16, .window = {.kernel = 3, .padding = 1}},
        {.x = {2, 9, 7, 1}, .out = 16, .window = {.kernel = 3, .padding = 1}},
        {.x = {2, 11, 13, 3}, .out = 32, .window = {.kernel = 3, .padding = 1}},
        {.x = {1, 16, 16, 16}, .out = 16, .window = {.kernel = 3, .padding = 1}, .bias = false},
        {.x = {2, 12, 10, 32}, .out = 64, .window = {.kernel = 3, .padding = 1}},
        {.x = {1, 14, 19, 24}, .out = 40, .window = {.kernel = 3, .padding = 1}, .layout = Layout::slice},
        {.x = {3, 5, 6, 64}, .out = 32, .window = {.kernel = 3, .padding = 1}, .bias = false},
        {.x = {1, 33, 17, 8}, .out = 3, .window = {.kernel = 3, .padding = 1}, .layout = Layout::slice},
        {.x = {1, 7, 7, 128}, .out = 7, .window = {.kernel = 3, .padding = 1}},
        {.x = {2, 9, 7, 5}, .out = 6, .window = {.kernel = 3, .padding = 2}},
        {.x = {2, 9, 8, 6}, .out = 17, .window = {.kernel = 3, .stride = 2, .padding = 1}},
        {.x = {1, 8, 9, 16}, .out = 16, .window = {.kernel = 3, .stride = 2}, .layout = Layout::slice},
        {.x = {1, 8, 8, 16}, .out = 32, .window = {.kernel = 1, .stride = 2}, .bias = false},
        {.x = {2, 6, 8, 5}, .out = 16, .window = {.kernel = 2, .stride = 2}},
        {.x = {1, 7, 5, 3}, .out = 8, .window = {.kernel = 2, .stride = 1, .padding = 1}},
        {.x = {1, 9, 11, 4}, .out = 9, .window = {.kernel = 5, .padding = 2}},
        {.x = {1, 13, 10, 3}, .out = 16, .window = {.kernel = 7, .stride = 2, .padding = 2}},
        {.x = {1, 9, 9, 16}, .out = 16, .window = {.kernel = 7, .padding = 2}, .layout = Layout::slice},
    };
    for (const auto& c : convolutions) {
        all.push_back(convolve<B>(c));
        all.push_back(convolve_backward_data<B>(c));
        all.push_back(convolve_backward_weights<B>(c));
    }
    for (const Activation activation : activations) {
        all.push_back(convolve<B>({.x = {1, 7, 9, 8}, .out = 16, .window = {.padding = 1}, .activation = activation}));
        all.push_back(convolve<B>({.x = {1, 5, 4, 8}, .out = 5, .window = {.kernel = 1}, .activation = activation}));
    }
    all.push_back(convolve<B>({.x = {2, 9, 11, 8}, .out = 19, .window = {.padding = 1}, .scale = true}));
    all.push_back(convolve<B>({.x = {1, 6, 7, 64}, .out = 64, .window = {.padding = 1}, .bias = false, .scale = true}));
    all.push_back(convolve<B>({.x = {1, 5, 4, 3}, .out = 21, .window = {.kernel = 1}, .scale = true}));

    for (const Parted& c : parted_shapes()) append(all, convolve_parts<B>(c));
    for (Parted c : parted_shapes()) {
        c.window = {.kernel = 2, .stride = 2};
        append(all, pool_parts<B>(c));
    }

    for (const Transposed& c : {Transposed{.x = {1, 1, 1, 1}, .out = 1}, Transposed{.x = {2, 3, 5, 3}, .out = 5},
                                Transposed{.x = {1, 6, 4, 32}, .out = 16}, Transposed{.x = {2, 5, 5, 64}, .out = 32},
                                Transposed{.x = {1, 4, 7, 17}, .out = 24, .layout = Layout::slice},
                                Transposed{.x = {1, 4, 4, 8}, .out = 8, .bias = false}}) {
        all.push_back(transposed_convolve<B>(c));
        all.push_back(transposed_convolve_backward_data<B>(c));
        all.push_back(transposed_convolve_backward_weights<B>(c));
    }

    std::vector<Normalisation> normalisations{
        {.x = {1, 1, 1, 1}},
        {.x = {2, 5, 7, 3}},
        {.x = {2, 5, 7, 3}, .groups = 2, .activation = Activation::relu},
        {.x = {4, 9, 6, 16}, .groups = 2, .layout = Layout::slice},
        {.x = {4, 9, 6, 33}, .groups = 4, .activation = Activation::relu, .in_place = true},
        {.x = {2, 31, 33, 32}, .activation = Activation::relu},
        {.x = {2, 8, 8, 16}, .groups = 1, .activation = Activation::relu, .own_statistics = false},
        {.x = {2, 7, 9, 17}, .groups = 2, .offset = 9},  // a mean far from 0 beside the deviation
    };
    for (const Activation activation : activations)
        normalisations.push_back({.x = {2, 3, 5, 20}, .groups = 2, .activation = activation, .layout = Layout::slice});
    for (const auto& c : normalisations) {
        all.push_back(batch_statistics<B>(c));
        all.push_back(normalise<B>(c));
        all.push_back(normalise_backward<B>(c));
    }
    for (const Shape& vectors : {Shape{1, 1, 1, 1}, Shape{2, 1, 1, 19}, Shape{4, 1, 1, 64}}) {
        all.push_back(update_running<B>(vectors, 60));
        all.push_back(update_running<B>(vectors, 1));
        all.push_back(normalisation<B>(vectors));
    }

    for (const Shape& x : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{1, 9, 8, 32}, Shape{3, 33, 17, 16}})
        for (const Layout layout : {Layout::whole, Layout::slice})
            for (const bool in_place : {false, true})
                append(all, elements<B>({.x = x, .layout = layout, .in_place = in_place}));
    for (const Layout layout : {Layout::whole, Layout::slice})
        all.push_back(round<B>({.x = {2, 5, 7, 9}, .layout = layout}));
    for (const Activation activation : activations) {
        append(all, activate<B>({.x = {2, 5, 7, 9}, .activation = activation}));
        append(all,
               activate<B>({.x = {1, 4, 3, 16}, .layout = Layout::slice, .in_place = true, .activation = activation}));
    }

    for (const Pooling& c :
         {Pooling{.x = {1, 2, 2, 1}, .window = {.kernel = 2, .stride = 2}},
          Pooling{.x = {2, 8, 6, 16}, .window = {.kernel = 2, .stride = 2}},
          Pooling{.x = {2, 9, 7, 3}, .window = {.kernel = 2, .stride = 2}},
          Pooling{.x = {1, 10, 12, 33}, .window = {.kernel = 2, .stride = 2}, .layout = Layout::slice},
          Pooling{.x = {1, 9, 8, 5}, .window = {.kernel = 3, .stride = 1}},
          Pooling{.x = {1, 9, 8, 5}, .window = {.kernel = 3, .stride = 2}},
          Pooling{.x = {1, 9, 8, 6}, .window = {.kernel = 1, .stride = 2}}})
        append(all, pool<B>(c));

    append(all, resize<B>({1, 1, 1, 1}, {1, 3, 2, 1}));
    append(all, resize<B>({2, 4, 6, 3}, {2, 8, 12, 3}));
    append(all, resize<B>({1, 5, 7, 16}, {1, 13, 9, 16}, Layout::slice));
    append(all, resize<B>({1, 6, 5, 4}, {1, 6, 5, 4}));
    append(all, resize<B>({1, 11, 13, 4}, {1, 5, 6, 4}));  // to a smaller size
    append(all, border<B>({2, 5, 7, 3}, {2, 8, 8, 3}));
    append(all, border<B>({1, 4, 4, 17}, {1, 16, 16, 17}, Layout::slice));
    append(all, border<B>({1, 4, 6, 16}, {1, 4, 6, 16}));
    append(all, gather<B>({3, 4, 5, 6}, {2, 0, 2, 2, 1}));
    append(all, gather<B>({4, 3, 3, 16}, {3, 3}, Layout::slice));
    all.push_back(combine_frames<B>({.a = {2, 4, 5, 16}, .of_a = {1, 0, 1}, .of_b = {2, 2, 0}}));
    all.push_back(combine_frames<B>(
        {.a = {1, 3, 3, 19}, .of_a = {0, 0}, .of_b = {1, 0}, .activation = Activation::relu, .layout = Layout::slice}));
    all.push_back(combine_frames<B>(
        {.a = {3, 9, 7, 6}, .of_a = {2, 2}, .of_b = {0, 3}, .activation = Activation::tanh, .shift = false}));

    for (const Classification& c :
         {Classification{.x = {1, 1, 1, 2}}, Classification{.x = {2, 5, 7, 4}}, Classification{.x = {2, 19, 23, 4}},
          Classification{.x = {1, 5, 7, 2}, .layout = Layout::slice}, Classification{.x = {1, 4, 9, 19}},
          Classification{.x = {1, 4, 9, 4}, .range = 30}})
        append(all, classify<B>(c));
    for (const Reduction reduction : {Reduction::pixels, Reduction::none, Reduction::weights})
        for (const double gamma : {0.0, 0.5, 1.0, 2.0, 3.0})
            append(all, focal<B>({.x = {2, 9, 7, 4}, .focal = {.gamma = gamma, .reduction = reduction}}));
    append(all, focal<B>({.x = {2, 19, 23, 4}, .focal = {.smoothing = 1e-5}}));
    append(all, focal<B>({.x = {1, 9, 7, 2}, .layout = Layout::slice, .weights = false}));
    append(all, focal<B>({.x = {1, 9, 7, 3}, .focal = {.gamma = 0}, .weights = false}));
    append(all, focal<B>({.x = {1, 9, 7, 4}, .range = 30}));
    append(all, focal<B>({.x = {1, 9, 7, 4}, .range = 30, .focal = {.smoothing = 1e-5}}));

    for (const Index size : {Index{1}, Index{37}, Index{5000}}) {
        all.push_back(adamw<B>(size, {.step = 1}));
        all.push_back(adamw<B>(size, {.rate = 1e-2, .beta1 = 0.8, .beta2 = 0.99, .decay = 0.1, .step = 1000}));
        all.push_back(sgd<B>(size, {}));
        all.push_back(sgd<B>(size, {.momentum = 0.9, .decay = 0.01}));
        all.push_back(sgd<B>(size, {.momentum = 0.9, .nesterov = true}));
        all.push_back(sgd<B>(size, {.momentum = 0.9, .decay = 0.01, .nesterov = true, .first = true}));
        all.push_back(sum_of_squares<B>(size));
    }
    return all;
}

}  // namespace mtdn::testing::cases
