dnl Licensed under the Apache License, Version 2.0 (the "License");
dnl you may not use this file except in compliance with the License.
dnl You may obtain a copy of the License at
dnl
dnl      http://www.apache.org/licenses/LICENSE-2.0
dnl
dnl Unless required by applicable law or agreed to in writing, software
dnl distributed under the License is distributed on an "AS IS" BASIS,
dnl WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
dnl See the License for the specific language governing permissions and
dnl limitations under the License.

dnl For a build inside an httpd source tree, as modules/snivhost:
dnl   ./buildconf && ./configure --enable-snivhost ...

APACHE_MODPATH_INIT(snivhost)

snivhost_objs=`sed -n 's/^SNIVHOST_OBJS *= *//p' $srcdir/modules/snivhost/Makefile.in`

APACHE_MODULE(snivhost, [virtual hosts by name in constant time], $snivhost_objs, , no, [
    APACHE_CHECK_OPENSSL
    AC_CHECK_HEADER([xxhash.h])
    AC_CHECK_HEADER([jansson.h])
    AC_CHECK_HEADER([idn2.h])
    if test "$ac_cv_openssl$ac_cv_header_xxhash_h$ac_cv_header_jansson_h" = "yesyesyes" ; then
        APR_ADDTO(MOD_SNIVHOST_LDADD, [-ljansson])
        if test "$ac_cv_header_idn2_h" = "yes" ; then
            APR_ADDTO(MOD_CFLAGS, [-DSNIVHOST_HAVE_IDN2])
        fi
        if test "x$enable_snivhost" = "xshared"; then
            # One exported symbol: the module record
            APR_ADDTO(MOD_SNIVHOST_LDADD, [-export-symbols-regex snivhost_module])
        fi
    else
        AC_MSG_WARN([mod_snivhost needs OpenSSL, xxhash.h and jansson.h; it is left out])
        enable_snivhost=no
    fi
])

APR_ADDTO(INCLUDES, [-I\$(top_srcdir)/$modpath_current])

APACHE_MODPATH_FINISH
