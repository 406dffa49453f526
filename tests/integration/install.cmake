# The installed tree, staged with DESTDIR, moved and used.
find_package(Python3 3.9 COMPONENTS Interpreter)
if(Python3_FOUND AND TARGET backplane)
  add_test(NAME integration.install COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/install.py ${CMAKE_COMMAND}
           ${CMAKE_BINARY_DIR} ${CMAKE_INSTALL_LIBDIR} ${CMAKE_INSTALL_INCLUDEDIR})
  set_tests_properties(integration.install PROPERTIES TIMEOUT 180 ENVIRONMENT
    "BACKPLANE=$<TARGET_FILE:backplane>;BACKPLANE_PLUGINS=${CMAKE_BINARY_DIR}/plugins;BACKPLANE_SOURCE=${CMAKE_SOURCE_DIR};PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/lib")
endif()
