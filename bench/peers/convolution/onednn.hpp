#pragma once

// The one place that includes oneDNN, of version 2 or 3.
#include <dnnl.hpp>

#include <set>

#include "layer.hpp"

namespace peers::onednn {

inline std::string version() {
    const auto* v = dnnl::version();
    return "oneDNN " + std::to_string(v->major) + '.' + std::to_string(v->minor) + '.' + std::to_string(v->patch);
}

using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;

inline dnnl::memory::desc described(const Dims& dims, Tag tag) { return {dims, dnnl::memory::data_type::f32, tag}; }

/// The memory of one primitive, in the formats that it chose itself; values go in and out by reorders, off the clock.
class Primitive {
public:
    template <class Description>
    Primitive(const dnnl::engine& engine, const Description& description, dnnl::primitive primitive)
        : engine_(engine),
          stream_(engine),
          primitive_(std::move(primitive)),
          scratchpad_(description.scratchpad_desc(), engine) {
        arguments_.insert({DNNL_ARG_SCRATCHPAD, scratchpad_});
    }

    void operand(int argument, const dnnl::memory::desc& wanted, const dnnl::memory::desc& plain,
                 const std::vector<float>& values) {
        dnnl::memory memory(wanted, engine_), host(plain, engine_, const_cast<float*>(values.data()));
        dnnl::reorder(host, memory).execute(stream_, host, memory);
        stream_.wait();
        arguments_.insert({argument, memory});
    }
    void result(int argument, const dnnl::memory::desc& wanted, const dnnl::memory::desc& plain, std::size_t size) {
        result_ = dnnl::memory(wanted, engine_);
        plain_ = plain;
        size_ = size;
        arguments_.insert({argument, result_});
    }
    void run() {
        primitive_.execute(stream_, arguments_);
        stream_.wait();
    }
    std::vector<float> values() {
        std::vector<float> out(size_);
        dnnl::memory host(plain_, engine_, out.data());
        dnnl::reorder(result_, host).execute(stream_, result_, host);
        stream_.wait();
        return out;
    }

private:
    dnnl::engine engine_;
    dnnl::stream stream_;
    dnnl::primitive primitive_;
    dnnl::memory scratchpad_, result_;
    dnnl::memory::desc plain_;
    std::size_t size_ = 0;
    std::unordered_map<int, dnnl::memory> arguments_;
};

// Primitive descriptions: version 3 does without operation descriptions.
#if DNNL_VERSION_MAJOR >= 3
template <class P, class... Given>
auto describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, Given&&... given) {
    return typename P::primitive_desc(engine, given..., attributes);
}
template <class P, class Hint, class... Given>
auto describe_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Hint& hint,
                       Given&&... given) {
    return typename P::primitive_desc(engine, given..., hint, attributes);
}
inline constexpr auto forward_kind = dnnl::prop_kind::forward_training;
#else
template <class P, class... Given>
auto describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, Given&&... given) {
    return typename P::primitive_desc(typename P::desc(given...), attributes, engine);
}
template <class P, class Hint, class... Given>
auto describe_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Hint& hint,
                       Given&&... given) {
    return typename P::primitive_desc(typename P::desc(given...), attributes, engine, hint);
}
inline constexpr auto forward_kind = dnnl::prop_kind::forward_training;
#endif

/// The three primitives of a layer: `Forward` and its ways back, of convolution or deconvolution.
template <class Forward, class BackwardData, class BackwardWeights>
Contestant contestant(const Layer& layer, const Operands& operands, Direction direction, dnnl::algorithm algorithm,
                      const std::string& algorithm_name, const dnnl::engine& engine) {
    const Dims x{layer.frames, layer.in, layer.side, layer.side}, w{layer.out, layer.in, layer.kernel, layer.kernel};
    const Dims y{layer.frames, layer.out, layer.out_side(), layer.out_side()};
    const Index stride = layer.transposed ? 2 : 1;
    const Dims strides{stride, stride}, padding{layer.padding(), layer.padding()};
    const auto any_x = described(x, Tag::any), any_w = described(w, Tag::any), any_y = described(y, Tag::any);
    const auto plain_x = described(x, Tag::nhwc), plain_w = described(w, Tag::hwio), plain_y = described(y, Tag::nhwc);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);

    std::shared_ptr<Primitive> primitive;
    std::string implementation;
    const auto forward =
        describe<Forward>(engine, attributes, forward_kind, algorithm, any_x, any_w, any_y, strides, padding, padding);
    const auto take = [&](const auto& description, auto made) {
        implementation = description.impl_info_str();
        primitive = std::make_shared<Primitive>(engine, description, std::move(made));
    };
    if (direction == Direction::forward) {
        take(forward, Forward(forward));
        primitive->operand(DNNL_ARG_SRC, forward.src_desc(), plain_x, operands.x);
        primitive->operand(DNNL_ARG_WEIGHTS, forward.weights_desc(), plain_w, operands.w);
        primitive->result(DNNL_ARG_DST, forward.dst_desc(), plain_y, operands.dy.size());
    } else if (direction == Direction::backward_data) {
        const auto back = describe_backward<BackwardData>(engine, attributes, forward, algorithm, any_x, any_w, any_y,
                                                          strides, padding, padding);
        take(back, BackwardData(back));
        primitive->operand(DNNL_ARG_DIFF_DST, back.diff_dst_desc(), plain_y, operands.dy);
        primitive->operand(DNNL_ARG_WEIGHTS, back.weights_desc(), plain_w, operands.w);
        primitive->result(DNNL_ARG_DIFF_SRC, back.diff_src_desc(), plain_x, operands.x.size());
    } else {
        const auto back = describe_backward<BackwardWeights>(engine, attributes, forward, algorithm, any_x, any_w,
                                                             any_y, strides, padding, padding);
        take(back, BackwardWeights(back));
        primitive->operand(DNNL_ARG_SRC, back.src_desc(), plain_x, operands.x);
        primitive->operand(DNNL_ARG_DIFF_DST, back.diff_dst_desc(), plain_y, operands.dy);
        primitive->result(DNNL_ARG_DIFF_WEIGHTS, back.diff_weights_desc(), plain_w, operands.w.size());
    }
    return {algorithm_name + " (" + implementation + ")", [primitive] { primitive->run(); },
            [primitive] { return primitive->values(); }};
}

/// oneDNN by every algorithm that it has for a layer, one contestant for each different implementation.
inline std::vector<Contestant> contestants(const Layer& layer, const Operands& operands, Direction direction) {
    using dnnl::algorithm;
    struct Way {
        algorithm convolution, deconvolution;
        const char* name;
    };
    // There is no automatic choice of a deconvolution's algorithm.
    const Way ways[] = {{algorithm::convolution_direct, algorithm::deconvolution_direct, "direct"},
                        {algorithm::convolution_winograd, algorithm::deconvolution_winograd, "Winograd"},
                        {algorithm::convolution_auto, algorithm::deconvolution_direct, "auto"}};
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    std::vector<Contestant> found;
    std::set<std::string> implementations;
    for (const auto& way : ways) {
        try {
            Contestant that = layer.transposed
                                  ? contestant<dnnl::deconvolution_forward, dnnl::deconvolution_backward_data,
                                               dnnl::deconvolution_backward_weights>(
                                        layer, operands, direction, way.deconvolution, way.name, engine)
                                  : contestant<dnnl::convolution_forward, dnnl::convolution_backward_data,
                                               dnnl::convolution_backward_weights>(layer, operands, direction,
                                                                                   way.convolution, way.name, engine);
            if (implementations.insert(that.name.substr(that.name.find('('))).second) found.push_back(std::move(that));
        } catch (const dnnl::error&) {
            // It has no such algorithm for this shape.
        }
    }
    return found;
}

}  // namespace peers::onednn
