# cmake --build BUILD --target analysis: clang-tidy and cppcheck over core, plugins and sdk, where they are installed.
add_custom_target(analysis COMMAND ${CMAKE_SOURCE_DIR}/scripts/analysis.sh ${CMAKE_BINARY_DIR} USES_TERMINAL VERBATIM)
