#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

/// The paper's scores of its test filaments (Tables 2 to 6; where Tables 4 and 5 disagree, 5, as Table 6 does).
struct PublishedScores {
    std::string_view recipe, fusion;
    int task;              ///< 1: A1; 2: A2
    std::string_view score;  ///< "macro_f1" or "macro_iou"
    double filament_6, filament_7, total;
};

inline constexpr std::array published_scores{
    PublishedScores{"unet-a1", "single-frame", 1, "macro_f1", 0.90293, 0.97206, 0.94102},
    PublishedScores{"unet-a1", "single-frame", 1, "macro_iou", 0.83593, 0.94673, 0.89361},
    PublishedScores{"unet-a2", "single-frame", 2, "macro_f1", 0.76477, 0.7597, 0.76276},
    PublishedScores{"unet-a2", "single-frame", 2, "macro_iou", 0.67606, 0.66955, 0.67357},
    PublishedScores{"mtdn-init2", "backward", 1, "macro_iou", 0.85614, 0.93844, 0.89964},
    PublishedScores{"mtdn-init2", "backward", 2, "macro_iou", 0.77654, 0.73349, 0.75665},
    PublishedScores{"mtdn-single-a1", "backward", 1, "macro_f1", 0.88336, 0.97039, 0.93014},
    PublishedScores{"mtdn-single-a2", "backward", 2, "macro_f1", 0.81126, 0.81154, 0.81152},
    PublishedScores{"mtdn", "backward", 1, "macro_f1", 0.91678, 0.9694, 0.94588},
    PublishedScores{"mtdn", "consecutive", 1, "macro_f1", 0.91801, 0.9691, 0.94638},
    PublishedScores{"mtdn", "ensemble", 1, "macro_f1", 0.91699, 0.96894, 0.94566},
    PublishedScores{"mtdn", "forward", 1, "macro_f1", 0.91798, 0.96865, 0.94604},
    PublishedScores{"mtdn", "backward", 2, "macro_f1", 0.838, 0.82295, 0.83117},
    PublishedScores{"mtdn", "consecutive", 2, "macro_f1", 0.83083, 0.82597, 0.82873},
    PublishedScores{"mtdn", "ensemble", 2, "macro_f1", 0.83812, 0.82491, 0.83216},
    PublishedScores{"mtdn", "forward", 2, "macro_f1", 0.83591, 0.82599, 0.83146},
    PublishedScores{"mtdn-init1", "backward", 1, "macro_f1", 0.92036, 0.96679, 0.94601},
    PublishedScores{"mtdn-init1", "consecutive", 1, "macro_f1", 0.92149, 0.96622, 0.94627},
    PublishedScores{"mtdn-init1", "ensemble", 1, "macro_f1", 0.92042, 0.96598, 0.94554},
    PublishedScores{"mtdn-init1", "forward", 1, "macro_f1", 0.92163, 0.96562, 0.94597},
    PublishedScores{"mtdn-init1", "backward", 2, "macro_f1", 0.8497, 0.82484, 0.83866},
    PublishedScores{"mtdn-init1", "consecutive", 2, "macro_f1", 0.84588, 0.82682, 0.83744},
    PublishedScores{"mtdn-init1", "ensemble", 2, "macro_f1", 0.84982, 0.82704, 0.83976},
    PublishedScores{"mtdn-init1", "forward", 2, "macro_f1", 0.84781, 0.82685, 0.83852},
    PublishedScores{"mtdn-init2", "backward", 1, "macro_f1", 0.91675, 0.96746, 0.9447},
    PublishedScores{"mtdn-init2", "consecutive", 1, "macro_f1", 0.9184, 0.96661, 0.94512},
    PublishedScores{"mtdn-init2", "ensemble", 1, "macro_f1", 0.91677, 0.96734, 0.94458},
    PublishedScores{"mtdn-init2", "forward", 1, "macro_f1", 0.91738, 0.96708, 0.94481},
    PublishedScores{"mtdn-init2", "backward", 2, "macro_f1", 0.85717, 0.8211, 0.8408},
    PublishedScores{"mtdn-init2", "consecutive", 2, "macro_f1", 0.85479, 0.82291, 0.84034},
    PublishedScores{"mtdn-init2", "ensemble", 2, "macro_f1", 0.85722, 0.82107, 0.84085},
    PublishedScores{"mtdn-init2", "forward", 2, "macro_f1", 0.85569, 0.82105, 0.83996},
};

/// Published score of a test filament, 6 or 7, or of both together (0).
inline std::optional<double> published_score(std::string_view recipe, std::string_view fusion, int task,
                                             std::string_view score, int filament) {
    for (const auto& row : published_scores) {
        if (row.recipe != recipe || row.fusion != fusion || row.task != task || row.score != score) continue;
        if (filament == 6) return row.filament_6;
        if (filament == 7) return row.filament_7;
        if (filament == 0) return row.total;
    }
    return std::nullopt;
}
