#pragma once

// The one place that includes CLI11.
#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/io/polarity.hpp>

#include "machine.hpp"

/// Options that every command has.
struct Common {
    Machine machine;
    std::uint64_t seed = 0;  ///< of all that is random
    bool json = false;       ///< figures as JSON, alone on standard output
};

// One function a command, each in the file of its name.
void add_synthesize(CLI::App& app, Common& common);
void add_info(CLI::App& app, Common& common);
void add_train(CLI::App& app, Common& common);
void add_convert(CLI::App& app, Common& common);
void add_cut(CLI::App& app, Common& common);
void add_segment(CLI::App& app, Common& common);
void add_change(CLI::App& app, Common& common);
void add_evaluate(CLI::App& app, Common& common);
void add_score(CLI::App& app, Common& common);
void add_reproduce(CLI::App& app, Common& common);
void add_tune(CLI::App& app, Common& common);
void add_kinetics(CLI::App& app, Common& common);
void add_overlay(CLI::App& app, Common& common);
void add_plot(CLI::App& app, Common& common);

/// Writes warnings to standard error.
void print_warnings(const std::vector<mtdn::Warning>& warnings);

/// Writes JSON to standard output.
void print_json(const mtdn::Json& json);

/// Adds `--device cpu|cuda|auto`.
void add_device(CLI::App& command, Common& common);

/// Adds `--precision single|bf16|tf32|tf32x3`.
inline constexpr const char* precision_help =
    "Products of convolutions; bf16: of factors rounded to bfloat16; tf32: to TF32, on a GPU; tf32x3: nearly single, "
    "there";
void add_precision(CLI::App& command, Common& common);

/// Adds `--palette paper|okabe-ito`; see `mtdn::palette_named`.
void add_palette(CLI::App& command, std::string& palette);

/// Adds `--polarity FEATURE,BACKGROUND`.
void add_polarity(CLI::App& command, std::vector<int>& polarity, const std::string& what);

/// Adds `--white COUNT`, of commands that read frames no dataset.json speaks of; it stays 0 where it is not given.
void add_white(CLI::App& command, int& white);

/// The polarity that was given, if one was.
std::optional<mtdn::MaskPolarity> polarity_of(const std::vector<int>& values);
