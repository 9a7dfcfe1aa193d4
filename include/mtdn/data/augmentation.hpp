#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/data/transform.hpp>

namespace mtdn {

/// `augmentation.augment(source, target, geometry, photometry)`: writes the frame and its masks, transformed.
template <class A>
concept transforms_a_frame_and_its_masks = requires(const A& augmentation, const FrameSource& source,
                                                    const FrameTarget& target, Random random) {
    { augmentation.augment(source, target, random, random) } -> std::same_as<void>;
};

/// Changes training frames in ways that do not change what they show.
///
/// Laws: the target is a function of the source and the two streams alone. All that moves pixels is drawn from
/// `geometry`, which both frames of a pair share, and moves frame and masks alike; `photometry` is the frame's own. The
/// target is at least as large as the source; where it is larger, frame values repeat the edge and masks hold
/// `ignore_label`.
template <class A>
concept Augmentation = transforms_a_frame_and_its_masks<A> && std::copy_constructible<A>;

/// `augmentation.drawn(geometry, photometry)`: what is drawn from the two streams.
template <class A>
concept says_what_it_draws = requires(const A& augmentation, Random random) {
    { augmentation.drawn(random, random) } -> std::same_as<DrawnTransform>;
};

/// An augmentation that is `transform`, `adjust` and `pad` by what it draws, and nothing else, so that a device may do
/// these where its frames are. `Drawn` names the type itself: one that is derived from it may do more.
template <class A>
concept DrawnAugmentation =
    Augmentation<A> && says_what_it_draws<A> && std::same_as<typename A::Drawn, std::remove_cvref_t<A>>;

/// Leaves frames as they are.
struct NoAugmentation {
    using Drawn = NoAugmentation;
    DrawnTransform drawn(Random, Random) const { return {}; }
    void augment(const FrameSource& source, const FrameTarget& target, Random, Random) const {
        check_fits(source, target);
        for (Index y = 0; y < source.height; ++y)
            std::copy_n(source.frame + y * source.width, source.width, target.frame + y * target.width);
        for (std::size_t m = 0; m < source.masks.size(); ++m)
            for (Index y = 0; y < source.height; ++y) {
                std::uint8_t* row = target.masks[m] + y * target.width;
                if (source.masks[m])
                    std::copy_n(source.masks[m] + y * source.width, source.width, row);
                else
                    std::fill_n(row, source.width, ignore_label);
            }
        pad(source, target);
    }
};

/// The published augmentation: flips, quarter turns, scale and crop, blur; brightness and contrast.
///
/// @source paper §2.4, and the published experiment where it is silent
struct PublishedAugmentation {
    using Drawn = PublishedAugmentation;

    double horizontal_flip = 0.5;  ///< probability
    double vertical_flip = 0.5;    ///< probability
    double rotation = 0.5;         ///< probability of a turn by 90, 180 or 270°; only 180° if a frame is not square
    double scale_min = 1.0;        ///< smallest magnification before the crop, at least 1
    double scale_max = 1.2;        ///< largest magnification
    double blur_min = 0.0;         ///< smallest standard deviation of the Gaussian blur in px
    double blur_max = 1.0;         ///< largest, in px
    double brightness_min = 0.7;   ///< smallest factor on brightness
    double brightness_max = 1.3;   ///< largest
    double contrast_min = 0.7;     ///< smallest factor on the distance from the frame's mean
    double contrast_max = 1.3;     ///< largest

    /// Draws what moves pixels; the same number of draws whatever comes out.
    Geometry geometry(Random random) const {
        Geometry drawn;
        drawn.horizontal_flip = random.chance(horizontal_flip);
        drawn.vertical_flip = random.chance(vertical_flip);
        const bool turned = random.chance(rotation);
        const auto turns = static_cast<int>(1 + random.below(3));
        drawn.quarter_turns = turned ? turns : 0;
        drawn.scale = random.uniform(scale_min, scale_max);
        drawn.crop_y = random.uniform();
        drawn.crop_x = random.uniform();
        drawn.blur = random.uniform(blur_min, blur_max);
        return drawn;
    }

    /// Draws what changes one frame's grey values.
    Photometry photometry(Random random) const {
        Photometry drawn;
        drawn.brightness = random.uniform(brightness_min, brightness_max);
        drawn.contrast = random.uniform(contrast_min, contrast_max);
        drawn.contrast_first = random.chance(0.5);
        return drawn;
    }

    /// @throws OptionError for an option outside its range
    DrawnTransform drawn(Random geometry_stream, Random photometry_stream) const {
        check();
        return {geometry(geometry_stream), photometry(photometry_stream)};
    }

    /// @throws OptionError for an option outside its range
    void augment(const FrameSource& source, const FrameTarget& target, Random geometry_stream,
                 Random photometry_stream) const {
        const DrawnTransform how = drawn(geometry_stream, photometry_stream);
        transform(source, target, how.geometry);
        adjust(source, target, how.photometry);
        pad(source, target);
    }

    void check() const {
        for (double p : {horizontal_flip, vertical_flip, rotation})
            require<OptionError>(p >= 0 && p <= 1, "PublishedAugmentation: a probability lies in [0, 1], got ", p);
        check_range("scale", scale_min, scale_max, 1);
        check_range("blur", blur_min, blur_max, 0);
        check_range("brightness", brightness_min, brightness_max, 0);
        check_range("contrast", contrast_min, contrast_max, 0);
    }

private:
    static void check_range(const char* name, double low, double high, double least) {
        require<OptionError>(low >= least && high >= low && high <= 100, "PublishedAugmentation: ", name,
                             " must be a range within [", least, ", 100], got [", low, ", ", high, "]");
    }
};

/// Any augmentation, chosen at run time. Copies share it.
class AnyAugmentation {
public:
    /// Leaves frames as they are.
    AnyAugmentation() : AnyAugmentation(NoAugmentation{}) {}

    template <class A>
    requires(!std::same_as<A, AnyAugmentation>) && Augmentation<A> AnyAugmentation(A augmentation)
        : held_(std::make_shared<Held<A>>(std::move(augmentation))) {}

    void augment(const FrameSource& source, const FrameTarget& target, Random geometry, Random photometry) const {
        held_->augment(source, target, geometry, photometry);
    }
    /// What is drawn, if that is all there is to it.
    std::optional<DrawnTransform> drawn(Random geometry, Random photometry) const {
        return held_->drawn(geometry, photometry);
    }

private:
    struct Holder {
        virtual ~Holder() = default;
        virtual void augment(const FrameSource&, const FrameTarget&, Random, Random) const = 0;
        virtual std::optional<DrawnTransform> drawn(Random, Random) const = 0;
    };
    template <class A>
    struct Held final : Holder {
        explicit Held(A given) : augmentation(std::move(given)) {}
        void augment(const FrameSource& source, const FrameTarget& target, Random geometry,
                     Random photometry) const override {
            augmentation.augment(source, target, geometry, photometry);
        }
        std::optional<DrawnTransform> drawn(Random geometry, Random photometry) const override {
            if constexpr (DrawnAugmentation<A>) return augmentation.drawn(geometry, photometry);
            else return std::nullopt;
        }
        A augmentation;
    };
    std::shared_ptr<const Holder> held_;
};

static_assert(Augmentation<NoAugmentation> && Augmentation<PublishedAugmentation> && Augmentation<AnyAugmentation>);

}  // namespace mtdn
