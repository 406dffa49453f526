# backplane-sdk: what is needed to build a Backplane plugin. Relocatable.
#
#   find_package(backplane-sdk REQUIRED)
#   bp_add_plugin(my_check KIND health SOURCES my_check.c)
get_filename_component(BACKPLANE_SDK_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(BACKPLANE_SDK_INCLUDE_DIR "${BACKPLANE_SDK_PREFIX}/include")

if(NOT TARGET backplane::sdk)
  add_library(backplane::sdk INTERFACE IMPORTED GLOBAL) # seen by every folder of a project
  set_target_properties(backplane::sdk PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${BACKPLANE_SDK_INCLUDE_DIR}")
endif()

# bp_add_plugin(TARGET KIND kind SOURCES file... [LIBRARIES lib...] [OUTPUT_NAME name])
#
# Builds OUTPUT_NAME.so (the target's name unless given) that exports bp_plugin_entry and nothing else, with
# every symbol bound when it is loaded. The file's name means nothing to the host.
function(bp_add_plugin target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "KIND;OUTPUT_NAME" "SOURCES;LIBRARIES")
  if(NOT arg_KIND OR NOT arg_SOURCES)
    message(FATAL_ERROR "bp_add_plugin(${target}): KIND and SOURCES are needed")
  endif()
  if(NOT arg_OUTPUT_NAME)
    set(arg_OUTPUT_NAME ${target})
  endif()
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME "${arg_OUTPUT_NAME}"
                        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${target} PRIVATE c_std_11)
  target_link_libraries(${target} PRIVATE backplane::sdk ${arg_LIBRARIES})
  target_link_options(${target} PRIVATE LINKER:-z,now LINKER:--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map
                      LINKER:--exclude-libs,ALL LINKER:--build-id)
  # A sanitizer's runtime is in the host's executable, so its symbols are undefined here.
  get_directory_property(options LINK_OPTIONS)
  if(NOT options MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
endfunction()
