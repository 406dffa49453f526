# A plugin author's day, in an installed tree. A sanitized libbackplane-testhost.a cannot be linked into a stranger's
# plain program, so this runs without sanitizers.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND TARGET backplane AND NOT BP_SANITIZE AND NOT BP_COVERAGE)
  add_test(NAME integration.sdk_author
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/sdk_author.py --build ${CMAKE_BINARY_DIR}
                   --source ${CMAKE_SOURCE_DIR} --cmake ${CMAKE_COMMAND})
  set_tests_properties(integration.sdk_author PROPERTIES TIMEOUT 300)
endif()
