#pragma once

#include <cstdint>
#include <type_traits>

#include <mtdn/backend/memory.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// What an operation of backend `B` sees of a tensor: where it is, its shape, and the step from pixel to pixel.
///
/// Owns nothing. Channels are contiguous; pixel p (counted over frames, rows and columns) starts at
/// `data + p * stride`, so that some of a tensor's channels, or some of its frames, are a view as well.
/// An empty view (`data` is null) stands for an optional operand that is not there.
template <class B, class T>
struct View {
    T* data = nullptr;
    Shape shape{};
    Index stride = 0;

    explicit operator bool() const { return data != nullptr; }
    bool contiguous() const { return stride == shape.channels; }
    /// First channel of pixel `pixel`. For backends on the host.
    T* pixel(Index pixel) const { return data + pixel * stride; }
    /// First channel of one pixel. For backends on the host.
    T* at(Index frame, Index row, Index column) const {
        return data + ((frame * shape.height + row) * shape.width + column) * stride;
    }
    // A template, or nvcc would warn of the views of constants, which have no use for it.
    template <class U>
        requires(!std::is_const_v<T> && std::is_same_v<U, const T>)
    operator View<B, U>() const {
        return {data, shape, stride};
    }
};

/// Values on backend `B`, channels last. A handle: copies share the values, and the last one frees them.
///
/// The backend is part of the type, so that host code cannot be handed device memory. Empty by default.
template <class B, class T = typename B::Scalar>
class Tensor {
public:
    using Value = T;

    Tensor() = default;

    /// An uninitialised tensor.
    Tensor(B& backend, const Shape& shape)
        : backend_(&backend), block_(backend.memory().obtain(static_cast<std::size_t>(shape.size()) * sizeof(T))),
          shape_(shape), stride_(shape.channels) {}

    bool empty() const { return backend_ == nullptr; }
    B& backend() const { return *backend_; }
    const Shape& shape() const { return shape_; }
    /// Elements from one pixel to the next; more than the channels if this is a slice of channels.
    Index stride() const { return stride_; }
    bool contiguous() const { return stride_ == shape_.channels; }
    /// Whether no other tensor shares the values, so that overwriting them changes nothing else.
    bool alone() const { return block_.alone(); }
    /// First element. Only the backend may dereference it; a backend on the host is what the host may.
    T* data() const { return static_cast<T*>(block_.data()) + offset_; }

    operator View<B, T>() const { return {empty() ? nullptr : data(), shape_, stride_}; }
    operator View<B, const T>() const { return {empty() ? nullptr : data(), shape_, stride_}; }

    /// `count` channels from `first` on, sharing the values.
    ///
    /// @throws ShapeError if there are not so many
    Tensor channels(Index first, Index count) const {
        require<ShapeError>(first >= 0 && count >= 0 && first + count <= shape_.channels, "Tensor::channels: channels ",
                            first, " to ", first + count, " of a tensor ", shape_);
        Tensor part = *this;
        part.offset_ += first;
        part.shape_.channels = count;
        return part;
    }

    /// `count` frames from `first` on, sharing the values.
    ///
    /// @throws ShapeError if there are not so many
    Tensor frames(Index first, Index count) const {
        require<ShapeError>(first >= 0 && count >= 0 && first + count <= shape_.frames, "Tensor::frames: frames ",
                            first, " to ", first + count, " of a tensor ", shape_);
        Tensor part = *this;
        part.offset_ += first * shape_.height * shape_.width * stride_;
        part.shape_.frames = count;
        return part;
    }

    /// A piece of a contiguous tensor's elements under another shape, sharing the values.
    ///
    /// @throws ShapeError if the tensor is a slice of channels, or has not so many elements
    Tensor piece(Index offset, const Shape& shape) const {
        require<ShapeError>(contiguous() && offset >= 0 && offset + shape.size() <= shape_.size(),
                            "Tensor::piece: ", shape, " from element ", offset, " on of a tensor ", shape_,
                            contiguous() ? "" : " (a slice of channels)");
        Tensor part = *this;
        part.offset_ += offset;
        part.shape_ = shape;
        part.stride_ = shape.channels;
        return part;
    }

private:
    B* backend_ = nullptr;
    BlockHandle block_;
    Index offset_ = 0;
    Shape shape_{};
    Index stride_ = 0;
};

}  // namespace mtdn
