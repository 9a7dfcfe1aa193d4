#pragma once

// All that needs no file: everything of floors 0 to 5, and data, training and scores in memory. <mtdn/io.hpp> adds
// files. <mtdn/core/eigen.hpp> adds the adapters for Eigen.

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/change/counts.hpp>
#include <mtdn/change/fuse.hpp>
#include <mtdn/change/fusion.hpp>
#include <mtdn/change/labels.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/communicator.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/experiment/evaluate.hpp>
#include <mtdn/experiment/live.hpp>
#include <mtdn/experiment/search.hpp>
#include <mtdn/experiment/tiles.hpp>
#include <mtdn/experiment/train.hpp>
#include <mtdn/loss/weighted_sum.hpp>
#include <mtdn/metric/boundary.hpp>
#include <mtdn/metric/metric.hpp>
#include <mtdn/metric/score.hpp>
#include <mtdn/nn/conv_block.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/optim/adamw.hpp>
#include <mtdn/optim/sgd.hpp>
#include <mtdn/siamese/siamese.hpp>
#include <mtdn/siamese/single_frame.hpp>
#include <mtdn/version.hpp>
