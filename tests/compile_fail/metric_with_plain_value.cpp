// expect: gives_a_score_or_none
#include <mtdn/metric/metric.hpp>

struct Frames {
    double frames = 0;
    void add(const mtdn::Mask&, const mtdn::Mask&) { ++frames; }
    Frames& operator+=(const Frames& other) {
        frames += other.frames;
        return *this;
    }
#ifdef MTDN_SHOULD_FAIL
    double value() const { return frames; }
#else
    std::optional<double> value() const { return frames; }
#endif
    std::string name() const { return "frames"; }
};

Frames measure(const mtdn::Masks& masks) { return mtdn::measure(Frames{}, masks, masks); }
