# embed/onnx against others: its tokenizer against that of Hugging Face, its vectors against a network of our own in numpy.
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
file(GLOB wordpiece CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/shared/text/wordpiece/*.c)
add_executable(wordpiece_numbers ${CMAKE_CURRENT_LIST_DIR}/wordpiece_numbers.c ${wordpiece})
target_include_directories(wordpiece_numbers PRIVATE ${CMAKE_SOURCE_DIR}/plugins/shared/text)
target_link_libraries(wordpiece_numbers PRIVATE PkgConfig::UTF8PROC)
add_executable(onnx_vectors ${CMAKE_CURRENT_LIST_DIR}/onnx_vectors.c)
target_compile_definitions(onnx_vectors PRIVATE _GNU_SOURCE)
target_link_libraries(onnx_vectors PRIVATE backplane_testhost)
add_dependencies(onnx_vectors plugin_embed_onnx)
# A runtime that fails when it is told to, for test_onnx_joining.py.
add_library(onnx_fake MODULE ${CMAKE_CURRENT_LIST_DIR}/onnx_fake.c)
target_compile_definitions(onnx_fake PRIVATE _GNU_SOURCE)
set_target_properties(onnx_fake PROPERTIES OUTPUT_NAME onnxruntime LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/onnx_fake)
bp_add_python_test(integration.wordpiece_reference ${CMAKE_CURRENT_LIST_DIR}/wordpiece_reference.py TIMEOUT 600
                   ARGS $<TARGET_FILE:wordpiece_numbers>)
bp_add_python_test(integration.onnx_reference ${CMAKE_CURRENT_LIST_DIR}/onnx_reference.py TIMEOUT 600
                   ARGS $<TARGET_FILE:onnx_vectors> $<TARGET_FILE:plugin_embed_onnx>)
