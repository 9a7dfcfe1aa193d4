#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <mtdn/data/sequence.hpp>
#include <mtdn/experiment/partner_sensitivity.hpp>
#include <mtdn/io/csv.hpp>

/// Masks by partner, by sequence and task.
using PartnerTable = std::map<std::string, std::map<std::string, mtdn::PartnerMasks>>;

/// Writes one row for each mask.
inline void write_partners(const std::filesystem::path& path, const PartnerTable& sequences) {
    mtdn::CsvTable table{{"sequence", "task", "query", "partner", "seconds", "area", "majority", "changed", "tp", "fp",
                          "fn", "tn"},
                         {}};
    for (const auto& [sequence, tasks] : sequences)
        for (const auto& [task, masks] : tasks)
            for (const auto& m : masks) {
                table.rows.push_back({sequence, task, std::to_string(m.query), std::to_string(m.partner),
                                      mtdn::number_text(m.seconds)});
                for (const auto pixels : {m.area, m.majority, m.changed, m.score.true_positive, m.score.false_positive,
                                          m.score.false_negative, m.score.true_negative})
                    table.rows.back().push_back(std::to_string(pixels));
            }
    mtdn::write_csv(path, table);
}

/// The masks of one task of some sequences, a list each.
inline std::vector<mtdn::PartnerMasks> read_partners(const std::filesystem::path& path,
                                                     const mtdn::SequenceView& sequences, const std::string& task) {
    const auto table = mtdn::read_csv(path);
    std::map<std::string, std::vector<double>> columns;
    for (std::size_t i = 2; i < table.header.size(); ++i) columns[table.header[i]] = table.numbers(table.header[i]);
    std::vector<mtdn::PartnerMasks> result;
    for (const auto& sequence : sequences) {
        mtdn::PartnerMasks masks;
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            if (table.rows[i][0] != sequence.name || table.rows[i][1] != task) continue;
            const auto at = [&](const char* name) { return static_cast<std::int64_t>(columns.at(name)[i]); };
            masks.push_back({.query = at("query"), .partner = at("partner"), .seconds = columns.at("seconds")[i],
                             .area = at("area"), .majority = at("majority"), .changed = at("changed"),
                             .score = {at("tp"), at("fp"), at("fn"), at("tn")}});
        }
        if (!masks.empty()) result.push_back(std::move(masks));
    }
    return result;
}
