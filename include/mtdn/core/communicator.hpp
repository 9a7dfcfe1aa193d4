#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <utility>

namespace mtdn {

namespace detail {
template <class C>
concept knows_its_rank_among_how_many = requires(C& communicator) {
    { communicator.rank() } -> std::same_as<int>;
    { communicator.size() } -> std::same_as<int>;
};
template <class C>
concept sums_over_ranks = requires(C& communicator, std::span<float> floats, std::span<double> doubles) {
    { communicator.all_reduce(floats) } -> std::same_as<void>;
    { communicator.all_reduce(doubles) } -> std::same_as<void>;
};
template <class C>
concept copies_from_rank_0 = requires(C& communicator, std::span<float> floats, std::span<double> doubles) {
    { communicator.broadcast(floats) } -> std::same_as<void>;
    { communicator.broadcast(doubles) } -> std::same_as<void>;
};
template <class C>
concept waits_for_all_ranks = requires(C& communicator) {
    { communicator.barrier() } -> std::same_as<void>;
};
template <class C>
concept sums_while_its_process_works_on = requires(C& communicator, std::span<float> floats,
                                                   std::span<double> doubles) {
    { communicator.start_all_reduce(floats) } -> std::same_as<void>;
    { communicator.start_all_reduce(doubles) } -> std::same_as<void>;
    { communicator.finish() } -> std::same_as<void>;
};
}  // namespace detail

/// Processes that train one model together.
///
/// `all_reduce` replaces every rank's values by their sum, added in the order of the ranks, so that it is the same
/// bits everywhere and every time. `broadcast` gives every rank the values of rank 0. `barrier` returns when every
/// rank has called it.
template <class C>
concept Communicator = detail::knows_its_rank_among_how_many<C> && detail::sums_over_ranks<C> &&
                       detail::copies_from_rank_0<C> && detail::waits_for_all_ranks<C>;

/// One process on its own: every exchange leaves the values as they are.
struct Alone {
    int rank() const { return 0; }
    int size() const { return 1; }
    void all_reduce(std::span<float>) const {}
    void all_reduce(std::span<double>) const {}
    void broadcast(std::span<float>) const {}
    void broadcast(std::span<double>) const {}
    void barrier() const {}
};
static_assert(Communicator<Alone>);

/// A communicator that sums while its process works on.
///
/// `start_all_reduce` begins what `all_reduce` does; the values are neither read nor written until `finish`, which
/// returns when all sums begun are there. Other exchanges may come between.
template <class C>
concept OverlappingCommunicator = Communicator<C> && detail::sums_while_its_process_works_on<C>;

/// Any communicator, chosen at run time; `Alone` if none is given. Copies share it.
///
/// Where it cannot overlap, a sum is there as soon as it is begun.
class AnyCommunicator {
public:
    AnyCommunicator() = default;
    template <class C>
        requires(!std::same_as<C, AnyCommunicator>) && Communicator<C>
    AnyCommunicator(C communicator) : self_(std::make_shared<Holder<C>>(std::move(communicator))) {}

    int rank() const { return self_ ? self_->rank() : 0; }
    int size() const { return self_ ? self_->size() : 1; }
    void all_reduce(std::span<float> values) const { if (self_) self_->all_reduce(values); }
    void all_reduce(std::span<double> values) const { if (self_) self_->all_reduce(values); }
    void broadcast(std::span<float> values) const { if (self_) self_->broadcast(values); }
    void broadcast(std::span<double> values) const { if (self_) self_->broadcast(values); }
    void barrier() const { if (self_) self_->barrier(); }
    void start_all_reduce(std::span<float> values) const { if (self_) self_->start_all_reduce(values); }
    void start_all_reduce(std::span<double> values) const { if (self_) self_->start_all_reduce(values); }
    void finish() const { if (self_) self_->finish(); }

private:
    struct Interface {
        virtual ~Interface() = default;
        virtual int rank() = 0;
        virtual int size() = 0;
        virtual void all_reduce(std::span<float>) = 0;
        virtual void all_reduce(std::span<double>) = 0;
        virtual void broadcast(std::span<float>) = 0;
        virtual void broadcast(std::span<double>) = 0;
        virtual void barrier() = 0;
        virtual void start_all_reduce(std::span<float>) = 0;
        virtual void start_all_reduce(std::span<double>) = 0;
        virtual void finish() = 0;
    };
    template <class C>
    struct Holder final : Interface {
        explicit Holder(C held) : communicator(std::move(held)) {}
        int rank() override { return communicator.rank(); }
        int size() override { return communicator.size(); }
        void all_reduce(std::span<float> values) override { communicator.all_reduce(values); }
        void all_reduce(std::span<double> values) override { communicator.all_reduce(values); }
        void broadcast(std::span<float> values) override { communicator.broadcast(values); }
        void broadcast(std::span<double> values) override { communicator.broadcast(values); }
        void barrier() override { communicator.barrier(); }
        void start_all_reduce(std::span<float> values) override { start(values); }
        void start_all_reduce(std::span<double> values) override { start(values); }
        void finish() override {
            if constexpr (OverlappingCommunicator<C>) communicator.finish();
        }
        void start(auto values) {
            if constexpr (OverlappingCommunicator<C>) communicator.start_all_reduce(values);
            else communicator.all_reduce(values);
        }
        C communicator;
    };
    std::shared_ptr<Interface> self_;
};
static_assert(OverlappingCommunicator<AnyCommunicator>);

}  // namespace mtdn
