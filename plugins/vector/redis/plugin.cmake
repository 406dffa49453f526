include(${CMAKE_CURRENT_LIST_DIR}/../../shared/clients/redis/redis.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/text/words/words.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/vectors/vectors.cmake)
# The scan is that of vector/local, so that both rank alike.
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/nearest/nearest.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../shared/stores/filters/filters.cmake)
