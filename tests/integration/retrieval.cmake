# End-to-end tests of the host with the app retrieval: tests/integration/test_*.py, each with a server of its own.
find_package(Python3 3.9 COMPONENTS Interpreter)
file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
if(Python3_FOUND)
  foreach(script IN LISTS scripts)
    get_filename_component(name ${script} NAME_WE)
    string(REPLACE "test_" "integration." test ${name})
    add_test(NAME ${test} COMMAND ${Python3_EXECUTABLE} -B ${script})
    set_tests_properties(${test} PROPERTIES TIMEOUT 180 SKIP_RETURN_CODE 77 ENVIRONMENT
      "BACKPLANE=$<TARGET_FILE:backplane>;BACKPLANE_PLUGINS=${CMAKE_BINARY_DIR}/plugins;BACKPLANE_FAULT_PLUGINS=${CMAKE_BINARY_DIR}/tests/faults/plugins;BACKPLANE_SHARED=${BP_SHARED_DIR};BACKPLANE_SOURCE=${CMAKE_SOURCE_DIR};PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/lib")
  endforeach()
  set_tests_properties(integration.migrate PROPERTIES COST 200 TIMEOUT 600) # a dozen moves, between five pairs of back ends
  set_tests_properties(integration.pglite integration.timescale PROPERTIES COST 200 TIMEOUT 900) # servers in WebAssembly take their time
endif()
