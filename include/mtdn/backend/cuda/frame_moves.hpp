#pragma once

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/frame_moves.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

/// A list of moves, items and tables.
struct MoveList {
    const std::uint8_t* bytes;

    MTDN_DEVICE const FrameMove& move(Index frame) const {
        return reinterpret_cast<const FrameMove*>(bytes)[frame];
    }
    MTDN_DEVICE const FrameItem& item(Index frames, Index i) const {
        return reinterpret_cast<const FrameItem*>(bytes + frames * static_cast<Index>(sizeof(FrameMove)))[i];
    }
    MTDN_DEVICE const std::int32_t* table(Index word) const {
        return reinterpret_cast<const std::int32_t*>(bytes) + word;
    }
};

/// Weights of one pixel of a line of `length`.
MTDN_DEVICE inline const float* line_weights(const std::int32_t* table, Index length, Index pixel, Index taps) {
    return reinterpret_cast<const float*>(table + 2 * length) + pixel * taps;
}

MTDN_DEVICE inline float grey(float value) { return value < 0 ? 0.0F : value > 1 ? 1.0F : value; }

/// The columns' part of a move: turned frames whose lines are magnified and blurred. A canvas a frame.
struct MoveColumns {
    const float* store;
    MoveList list;
    Extent canvas;
    float* half;
    MTDN_DEVICE void operator()(Index i) const {
        const Extent::Place at = canvas.place(i);
        const FrameMove& move = list.move(at.frame);
        if (at.row >= move.height || at.column >= move.width) return;
        const std::int32_t* table = list.table(move.columns);
        const float* weight = line_weights(table, move.width, at.column, move.column_taps);
        const float* values = store + move.origin + at.row * move.down + table[at.column] * move.across;
        float sum = 0;
        for (Index k = 0; k < move.column_taps; ++k) sum += weight[k] * values[k * move.across];
        half[i] = sum;
    }
};

/// The rows' part; and the brightness, where it comes first.
struct MoveRows {
    const float* half;
    MoveList list;
    Extent canvas;
    float* moved;
    MTDN_DEVICE void operator()(Index i) const {
        const Extent::Place at = canvas.place(i);
        const FrameMove& move = list.move(at.frame);
        if (at.row >= move.height || at.column >= move.width) return;
        const std::int32_t* table = list.table(move.rows);
        const float* weight = line_weights(table, move.height, at.row, move.row_taps);
        const float* values = half + canvas.pixel(at.frame, table[at.row], at.column);
        float sum = 0;
        for (Index k = 0; k < move.row_taps; ++k) sum += weight[k] * values[k * canvas.width];
        sum = grey(sum);
        moved[i] = move.contrast_first || move.brightness == 1 ? sum : grey(sum * move.brightness);
    }
};

/// Sum of each row, for the contrast.
struct MovedRowSum {
    const float* moved;
    MoveList list;
    Extent canvas;
    double* sums;  // (frames, rows)
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, canvas.height);
        const FrameMove& move = list.move(at.quotient);
        if (at.rest >= move.height || move.contrast == 1) return;
        const float* row = moved + canvas.pixel(at.quotient, at.rest, 0);
        double sum = 0;
        for (Index x = 0; x < move.width; ++x) sum += row[x];
        sums[i] = sum;
    }
};
struct MovedMean {
    const double* sums;
    MoveList list;
    Extent canvas;
    float* means;
    MTDN_DEVICE void operator()(Index frame) const {
        const FrameMove& move = list.move(frame);
        if (move.contrast == 1) return;
        double sum = 0;
        for (Index y = 0; y < move.height; ++y) sum += sums[frame * canvas.height + y];
        means[frame] = static_cast<float>(sum / static_cast<double>(Index{move.height} * move.width));
    }
};

/// Contrast, and brightness where it comes second; the edge repeated; as networks take it.
struct FinishMove {
    const float *moved, *means;
    MoveList list;
    Extent canvas;
    MTDN_DEVICE float operator()(Index pixel, Index) const {
        const Extent::Place at = canvas.place(pixel);
        const FrameMove& move = list.move(at.frame);
        const Index row = at.row < move.height ? at.row : move.height - 1;
        const Index column = at.column < move.width ? at.column : move.width - 1;
        float value = moved[canvas.pixel(at.frame, row, column)];
        if (move.contrast != 1) {
            const float mean = means[at.frame];
            value = grey(mean + (value - mean) * move.contrast);
        }
        if (move.contrast_first && move.brightness != 1) value = grey(value * move.brightness);
        return (value - 0.5F) / 0.5F;
    }
};

struct PlaceLabel {
    const std::uint8_t* store;
    MoveList list;
    Index frames;
    Extent canvas;
    Pixels<std::uint8_t> labels;

    MTDN_DEVICE std::uint8_t mask(Index frame, Index row, Index column) const {
        const FrameMove& move = list.move(frame);
        if (row >= move.height || column >= move.width) return ignore_label;
        const Index y = list.table(move.rows)[move.height + row], x = list.table(move.columns)[move.width + column];
        return store[move.origin + y * move.down + x * move.across];
    }
    MTDN_DEVICE void operator()(Index i) const {
        const Extent::Place at = canvas.place(i);
        const FrameItem& item = list.item(frames, at.frame);
        std::uint8_t label = ignore_label;
        if (item.query >= 0) {
            label = mask(item.query, at.row, at.column);
            if (item.partner >= 0) {
                const std::uint8_t partner = mask(item.partner, at.row, at.column);
                const bool counts = label != ignore_label && partner != ignore_label;
                label = counts ? static_cast<std::uint8_t>(2 * label + partner) : ignore_label;
            }
        }
        labels.at(i, 0) = label;
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::place_frames(In store, InLabels list, Out y) {
    using namespace detail::cuda;
    const Shape shape = y.shape;
    const MoveList moves{list.data};
    const Scratch<float> half(*queue_, shape.pixels()), moved(*queue_, shape.pixels()), means(*queue_, shape.frames);
    const Scratch<double> sums(*queue_, shape.frames * shape.height);
    for_each(*queue_, shape.pixels(), MoveColumns{store.data, moves, shape, half.data()});
    for_each(*queue_, shape.pixels(), MoveRows{half.data(), moves, shape, moved.data()});
    for_each(*queue_, shape.frames * shape.height, MovedRowSum{moved.data(), moves, shape, sums.data()});
    for_each(*queue_, shape.frames, MovedMean{sums.data(), moves, shape, means.data()});
    for_each_element(*queue_, y, FinishMove{moved.data(), means.data(), moves, shape});
}
template <class D>
void CudaFor<D>::place_labels(InLabels store, InLabels list, Index frames, OutLabels labels) {
    using namespace detail::cuda;
    for_each(*queue_, labels.shape.pixels(), PlaceLabel{store.data, {list.data}, frames, labels.shape, labels});
}

}  // namespace mtdn
