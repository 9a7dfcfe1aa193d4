#pragma once

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/backend/queued.hpp>

namespace mtdn {

/// The value of a tensor of one element, asked for now and read when it is wanted: by then a backend that queues its
/// work has come so far. Others know it at once.
template <Backend B>
class LateNumber {
public:
    static constexpr bool late = QueuedBackend<B>;

    explicit LateNumber(const Tensor<B>& tensor) : backend_(&tensor.backend()) {
        if constexpr (late) request_ = backend_->read_later(tensor);
        else value_ = number_in(tensor);
    }

    /// @throws DataError if a loss was given a wrong label before
    double read() const {
        if constexpr (late) return backend_->late_number(request_);
        else return value_;
    }

private:
    B* backend_;
    Index request_ = 0;
    double value_ = 0;
};

}  // namespace mtdn
