# The official test suite of JSON Schema, fetched when the test runs.
add_executable(json_schema_suite ${CMAKE_CURRENT_LIST_DIR}/json_schema_suite.c)
target_compile_definitions(json_schema_suite PRIVATE _GNU_SOURCE)
target_link_libraries(json_schema_suite PRIVATE core_schema)
bp_add_python_test(integration.json_schema_suite ${CMAKE_CURRENT_LIST_DIR}/json_schema_suite.py TIMEOUT 300
                   ARGS $<TARGET_FILE:json_schema_suite> ${CMAKE_BINARY_DIR}/fetched)
