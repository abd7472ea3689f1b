// What the library names of libcurl without <curl/curl.h> is what <curl/curl.h> says, where there is
// one. It compiles, or not.
#include "vqcache.hpp"

#if __has_include(<curl/curl.h>)
#include <curl/curl.h>

namespace numbers = vqcache::detail::transport;

#define IS(ours, theirs) static_assert(int(numbers::ours) == int(theirs))

IS(opt_ssl_verify_peer, CURLOPT_SSL_VERIFYPEER);
IS(opt_connect_timeout, CURLOPT_CONNECTTIMEOUT);
IS(opt_ssl_verify_host, CURLOPT_SSL_VERIFYHOST);
IS(opt_http_version, CURLOPT_HTTP_VERSION);
IS(opt_buffer_size, CURLOPT_BUFFERSIZE);
IS(opt_no_signal, CURLOPT_NOSIGNAL);
IS(opt_protocols, 181);  // CURLOPT_PROTOCOLS, of which newer ones warn
IS(opt_suppress_connect_headers, CURLOPT_SUPPRESS_CONNECT_HEADERS);
IS(opt_no_body, CURLOPT_NOBODY);
IS(opt_upload, CURLOPT_UPLOAD);
IS(opt_fresh_connect, CURLOPT_FRESH_CONNECT);
IS(opt_path_as_is, CURLOPT_PATH_AS_IS);
#if LIBCURL_VERSION_NUM >= 0x073e00  // 7.62
IS(opt_upload_buffer_size, CURLOPT_UPLOAD_BUFFERSIZE);
#endif
IS(opt_read_data, CURLOPT_READDATA);
IS(opt_read_function, CURLOPT_READFUNCTION);
IS(opt_seek_data, CURLOPT_SEEKDATA);
IS(opt_seek_function, CURLOPT_SEEKFUNCTION);
IS(opt_custom_request, CURLOPT_CUSTOMREQUEST);
IS(opt_size_of_upload, CURLOPT_INFILESIZE_LARGE);
IS(opt_write_data, CURLOPT_WRITEDATA);
IS(opt_url, CURLOPT_URL);
IS(opt_error_buffer, CURLOPT_ERRORBUFFER);
IS(opt_user_agent, CURLOPT_USERAGENT);
IS(opt_http_header, CURLOPT_HTTPHEADER);
IS(opt_header_data, CURLOPT_HEADERDATA);
IS(opt_ca_info, CURLOPT_CAINFO);
IS(opt_ca_path, CURLOPT_CAPATH);
IS(opt_write_function, CURLOPT_WRITEFUNCTION);
IS(opt_header_function, CURLOPT_HEADERFUNCTION);

IS(global_all, CURL_GLOBAL_ALL);
IS(protocols_http_and_https, CURLPROTO_HTTP | CURLPROTO_HTTPS);
IS(http_version_1_1, CURL_HTTP_VERSION_1_1);
IS(error_size, CURL_ERROR_SIZE);
IS(read_abort, CURL_READFUNC_ABORT);
IS(seek_done, CURL_SEEKFUNC_OK);
IS(seek_failed, CURL_SEEKFUNC_FAIL);

IS(curl_ok, CURLE_OK);
IS(curl_failed_init, CURLE_FAILED_INIT);
IS(curl_recv_error, CURLE_RECV_ERROR);
IS(curl_unsupported_protocol, CURLE_UNSUPPORTED_PROTOCOL);
IS(curl_weird_server_reply, CURLE_WEIRD_SERVER_REPLY);
IS(curl_partial_file, CURLE_PARTIAL_FILE);
IS(curl_not_built_in, CURLE_NOT_BUILT_IN);
IS(curl_could_not_resolve_proxy, CURLE_COULDNT_RESOLVE_PROXY);
IS(curl_could_not_connect, CURLE_COULDNT_CONNECT);
IS(curl_out_of_memory, CURLE_OUT_OF_MEMORY);
#if LIBCURL_VERSION_NUM >= 0x074900  // 7.73
IS(curl_proxy_error, CURLE_PROXY);
#endif
IS(curl_operation_timed_out, CURLE_OPERATION_TIMEDOUT);
IS(curl_ssl_connect_error, CURLE_SSL_CONNECT_ERROR);
IS(curl_bad_function_argument, CURLE_BAD_FUNCTION_ARGUMENT);
IS(curl_ssl_engine_not_found, CURLE_SSL_ENGINE_NOTFOUND);
IS(curl_ssl_engine_set_failed, CURLE_SSL_ENGINE_SETFAILED);
IS(curl_ssl_certificate_problem, CURLE_SSL_CERTPROBLEM);
IS(curl_ssl_cipher, CURLE_SSL_CIPHER);
IS(curl_bad_content_encoding, CURLE_BAD_CONTENT_ENCODING);
IS(curl_use_ssl_failed, CURLE_USE_SSL_FAILED);
IS(curl_ssl_engine_init_failed, CURLE_SSL_ENGINE_INITFAILED);
IS(curl_ssl_bad_authority_file, CURLE_SSL_CACERT_BADFILE);
IS(curl_ssl_shutdown_failed, CURLE_SSL_SHUTDOWN_FAILED);
IS(curl_ssl_bad_revocation_list, CURLE_SSL_CRL_BADFILE);
IS(curl_ssl_issuer_error, CURLE_SSL_ISSUER_ERROR);
IS(curl_ssl_pinned_key_differs, CURLE_SSL_PINNEDPUBKEYNOTMATCH);
IS(curl_ssl_invalid_certificate_status, CURLE_SSL_INVALIDCERTSTATUS);
#if LIBCURL_VERSION_NUM >= 0x073e00  // 7.62
IS(curl_peer_failed_verification, CURLE_PEER_FAILED_VERIFICATION);
#endif
#endif
