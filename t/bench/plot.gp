# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# Draws what t/bench/run.sh has measured: requests and handshakes a second
# over the number of virtual hosts, for a name that nobody has.
#
#   t/bench/run.sh >bench.txt
#   gnuplot -e "bench='bench.txt'; picture='bench.svg'" t/bench/plot.gp
#
# and, if tls='...' names the output of t/bench/tls.pl, a second picture next
# to the first (bench-tls.svg): start, graceful restart and memory of each
# server with that many certificates. bench='' leaves the first one out.

if (!exists("bench")) bench = 'bench.txt'
if (!exists("picture")) picture = 'bench.svg'
if (!exists("name")) name = 'unknown'
ends = strlen(picture) - 3
base = picture[ends:*] eq '.svg' ? picture[1:ends - 1] : picture

# The rows of a measure and a name: vhosts stock module
rows(file, measure, name) = sprintf( \
    "< awk '$2 == \"%s\" && $3 == \"%s\" { print $1, $4, $5 }' %s", \
    measure, name, file)

set style data linespoints
set logscale x 10
set format x "%.0f"
set grid ytics lc rgb "#dddddd"
set xlabel "virtual hosts"

if (bench ne '') {
    set terminal svg noenhanced size 860,380 font "sans-serif,13" background "white"
    set output picture
    set multiplot layout 1,2
    set yrange [0:*]
    set key bottom left

    set title "requests a second, unknown Host"
    plot rows(bench, 'requests', name) using 1:3 title "mod_snivhost" \
             lw 2 pt 7 lc rgb "#1a4fa0", \
         rows(bench, 'requests', name) using 1:2 title "httpd" \
             lw 2 pt 5 lc rgb "#b03030"
    set title "TLS handshakes a second, unknown SNI"
    plot rows(bench, 'handshakes', name) using 1:3 title "mod_snivhost" \
             lw 2 pt 7 lc rgb "#1a4fa0", \
         rows(bench, 'handshakes', name) using 1:2 title "httpd" \
             lw 2 pt 5 lc rgb "#b03030"
    unset multiplot
}

if (exists("tls")) {
    # The rows of a server, but for stock httpd's with 10 beside
    server(file, name) = sprintf( \
        "< awk '$2 == \"%s\" && $1 > 10 { print $1, $3, $4, $7 }' %s", \
        name, file)
    title(name) = name eq 'adopt' ? 'SNIVHostAdopt On' \
                : name eq 'stock' ? 'httpd' \
                : name eq 'haproxy' ? 'HAProxy' : name
    colour(name) = name eq 'adopt' ? 0x1a4fa0 : name eq 'stock' ? 0xb03030 \
                 : name eq 'nginx' ? 0x2e8b57 : 0x888888
    point(name) = name eq 'adopt' ? 7 : name eq 'stock' ? 5 \
                : name eq 'nginx' ? 9 : 11
    servers = system(sprintf("awk '$1 ~ /^[0-9]+$/ && $3 ~ /^[0-9.]+$/ " \
        . "{ if (!s[$2]++) print $2 }' %s", tls))
    set terminal svg noenhanced size 960,380 font "sans-serif,13" \
        background "white"
    set output base . '-tls.svg'
    set multiplot layout 1,3
    set key top left Left reverse samplen 1.5
    set xrange [500:40000]
    # Room for the key
    set yrange [*:1000]
    set logscale y 10
    set format y "%g"
    set title "start, seconds"
    plot for [s in servers] server(tls, s) using 1:2 title title(s) \
             lw 2 pt point(s) lc rgb colour(s)
    unset key
    set yrange [*:*]
    set title "graceful restart, seconds"
    plot for [s in servers] server(tls, s) using 1:3 title title(s) \
             lw 2 pt point(s) lc rgb colour(s)
    set title "memory of all processes, MiB"
    plot for [s in servers] server(tls, s) using 1:4 title title(s) \
             lw 2 pt point(s) lc rgb colour(s)
    unset multiplot
}
