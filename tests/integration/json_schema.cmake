# The official test suite of JSON Schema, fetched when the test runs.
find_package(Python3 COMPONENTS Interpreter)
add_executable(json_schema_suite ${CMAKE_CURRENT_LIST_DIR}/json_schema_suite.c)
target_compile_definitions(json_schema_suite PRIVATE _GNU_SOURCE)
target_link_libraries(json_schema_suite PRIVATE core_schema)
if(Python3_FOUND)
  add_test(NAME integration.json_schema_suite
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/json_schema_suite.py $<TARGET_FILE:json_schema_suite>
                   ${CMAKE_BINARY_DIR}/fetched)
  set_tests_properties(integration.json_schema_suite PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
