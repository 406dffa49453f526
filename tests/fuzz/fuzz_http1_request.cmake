# llhttp as Debian's node-llhttp ships it: generated C, made elsewhere, hence a library without warnings.
set(llhttp_dir /usr/share/llhttp)
if(EXISTS ${llhttp_dir}/llhttp.c AND EXISTS /usr/share/include/llhttp/llhttp.h)
  add_library(llhttp_oracle STATIC ${llhttp_dir}/api.c ${llhttp_dir}/http.c ${llhttp_dir}/llhttp.c)
  # its sources include "llhttp.h", ours <llhttp/llhttp.h>
  target_include_directories(llhttp_oracle SYSTEM PUBLIC /usr/share/include /usr/share/include/llhttp)
  target_compile_options(llhttp_oracle PRIVATE -w)
  target_compile_definitions(llhttp_oracle INTERFACE BP_HAVE_LLHTTP)
  target_link_libraries(fuzz_http1_request PRIVATE llhttp_oracle)
else()
  message(STATUS "fuzz_http1_request: node-llhttp is not installed; requests are not compared with llhttp")
endif()
