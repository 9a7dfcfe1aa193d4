#pragma once

// The one place that includes Eigen's unsupported modules.
#include <unsupported/Eigen/NonLinearOptimization>
#include <unsupported/Eigen/SpecialFunctions>

#include <cmath>
#include <functional>
#include <limits>

namespace mtdn::detail {

/// Sets the residuals, and their derivatives (one row a residual) where these are wanted.
using Residuals =
    std::function<void(const Eigen::VectorXd& parameters, Eigen::VectorXd& residuals, Eigen::MatrixXd* derivatives)>;

/// Residuals as Eigen's solver wants them.
struct ResidualFunctor {
    using Scalar = double;
    using InputType = Eigen::VectorXd;
    using ValueType = Eigen::VectorXd;
    using JacobianType = Eigen::MatrixXd;
    enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };

    const Residuals& residuals;
    Eigen::Index unknowns, count;

    Eigen::Index inputs() const { return unknowns; }
    Eigen::Index values() const { return count; }
    int operator()(const Eigen::VectorXd& x, Eigen::VectorXd& values) const {
        residuals(x, values, nullptr);
        return values.allFinite() ? 0 : -1;
    }
    int df(const Eigen::VectorXd& x, Eigen::MatrixXd& derivatives) const {
        Eigen::VectorXd values(count);
        residuals(x, values, &derivatives);
        return derivatives.allFinite() ? 0 : -1;
    }
};

/// A minimum that was found, or how far the solver came.
struct LeastSquares {
    Eigen::VectorXd parameters;
    double sum_of_squares = std::numeric_limits<double>::infinity();
    bool converged = false;
};

/// Minimises the sum of squares from a starting point by Levenberg and Marquardt's method (MINPACK's, as Eigen has it).
inline LeastSquares minimise(const Residuals& residuals, Eigen::VectorXd start, Eigen::Index count) {
    ResidualFunctor functor{residuals, start.size(), count};
    Eigen::LevenbergMarquardt<ResidualFunctor> solver(functor);
    solver.parameters.ftol = solver.parameters.xtol = 1e-14;
    solver.parameters.maxfev = 2000;
    using namespace Eigen::LevenbergMarquardtSpace;
    const Status status = solver.minimize(start);
    const bool ended = status != UserAsked && status != ImproperInputParameters && start.allFinite();
    if (!ended) return {start, std::numeric_limits<double>::infinity(), false};
    return {start, solver.fnorm * solver.fnorm, status != TooManyFunctionEvaluation};
}

/// (JᵀJ)⁻¹; NaN where the derivatives do not determine all parameters.
inline Eigen::MatrixXd unscaled_covariance(const Eigen::MatrixXd& derivatives) {
    const Eigen::Index n = derivatives.cols();
    const Eigen::VectorXd scale = derivatives.colwise().norm();
    const Eigen::MatrixXd undetermined = Eigen::MatrixXd::Constant(n, n, std::numeric_limits<double>::quiet_NaN());
    if (!(scale.minCoeff() > 0)) return undetermined;
    const Eigen::MatrixXd scaled = derivatives * scale.cwiseInverse().asDiagonal();
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(scaled);
    if (qr.rank() < n || qr.maxPivot() > 1e7 * std::abs(qr.matrixR()(n - 1, n - 1))) return undetermined;
    const Eigen::MatrixXd inverse = qr.solve(Eigen::MatrixXd::Identity(scaled.rows(), scaled.rows()));
    const Eigen::MatrixXd covariance = inverse * inverse.transpose();
    return scale.cwiseInverse().asDiagonal() * covariance * scale.cwiseInverse().asDiagonal();
}

/// P(T ≤ t) of Student's distribution; of the normal one for infinitely many degrees of freedom.
inline double student_probability(double t, double degrees) {
    if (std::isinf(degrees)) return std::erfc(-t / std::sqrt(2.0)) / 2;
    const double tail = Eigen::numext::betainc(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2;
    return t > 0 ? 1 - tail : tail;
}

}  // namespace mtdn::detail
