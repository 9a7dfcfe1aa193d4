#pragma once

#include <filesystem>
#include <string>
#include <system_error>

namespace mtdn {

/// The folder or the file that is a film: where frames lie in a folder called `frames` or `images`, as many films' do,
/// the folder above.
inline std::filesystem::path film_at(const std::filesystem::path& path) {
    std::error_code ignored;
    const auto film = std::filesystem::absolute(path / "x").lexically_normal().parent_path();
    const auto above = film.parent_path();
    const bool every_films = film.filename() == "frames" || film.filename() == "images";
    return every_films && above.has_filename() && std::filesystem::is_directory(film, ignored) ? above : film;
}

/// What a film is called: its folder's name, or its file's without the ending.
inline std::string film_name(const std::filesystem::path& path) {
    std::error_code ignored;
    const auto film = film_at(path);
    return (std::filesystem::is_directory(film, ignored) ? film.filename() : film.stem()).string();
}

}  // namespace mtdn
