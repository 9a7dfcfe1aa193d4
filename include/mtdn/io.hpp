#pragma once

// <mtdn/mtdn.hpp> and all that reads or writes files: pictures, datasets, weights, checkpoints, tables. Link mtdn::io.
// <mtdn/kinetics/files.hpp> adds volumes, rates and their fits, and Eigen's solvers to compile.
// For studies: <mtdn/data/thinned.hpp>, <mtdn/experiment/ablations.hpp>, <mtdn/experiment/partner_sensitivity.hpp>.

#include <mtdn/data/frame_folder.hpp>
#include <mtdn/data/frame_reader.hpp>
#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/read_predictions.hpp>
#include <mtdn/data/regions.hpp>
#include <mtdn/data/write_dataset.hpp>
#include <mtdn/experiment/checkpoint.hpp>
#include <mtdn/experiment/recipe.hpp>
#include <mtdn/experiment/weights.hpp>
#include <mtdn/io/apng.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/io/lock.hpp>
#include <mtdn/io/npy.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/io/report.hpp>
#include <mtdn/io/tensorboard.hpp>
#include <mtdn/io/tiff.hpp>
#include <mtdn/mtdn.hpp>
#include <mtdn/view/change_map.hpp>
#include <mtdn/view/confusion_map.hpp>
#include <mtdn/view/gnuplot.hpp>
#include <mtdn/view/overlay.hpp>
#include <mtdn/view/plot.hpp>
#include <mtdn/view/sheet.hpp>
