# End-to-end tests of the host with the app retrieval: tests/integration/test_*.py, each with a server of its own.
file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
find_package(Python3 3.9 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(script IN LISTS scripts)
    get_filename_component(name ${script} NAME_WE)
    string(REPLACE "test_" "integration." test ${name})
    bp_add_python_test(${test} ${script})
  endforeach()
  set_tests_properties(integration.migrate PROPERTIES COST 200 TIMEOUT 600) # a dozen moves, between five pairs of back ends
  set_tests_properties(integration.pglite integration.timescale PROPERTIES COST 200 TIMEOUT 900) # servers in WebAssembly take their time
endif()
