<?xml version="1.0" encoding="UTF-8"?>
<!-- Licensed under the Apache License, Version 2.0 (the "License");
     you may not use this file except in compliance with the License.
     You may obtain a copy of the License at

         http://www.apache.org/licenses/LICENSE-2.0

     Unless required by applicable law or agreed to in writing, software
     distributed under the License is distributed on an "AS IS" BASIS,
     WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
     See the License for the specific language governing permissions and
     limitations under the License. -->

<!-- Makes one HTML page, without any other file, of a page in the format of
     httpd's manual (docs/manual/style/modulesynopsis.dtd there):

         xsltproc html.xsl mod_snivhost.xml  (with the option novalid)

     Understood is what mod_snivhost.xml uses. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:svg="http://www.w3.org/2000/svg"
                exclude-result-prefixes="svg">
<xsl:output method="html" encoding="UTF-8" indent="no"
            doctype-system="about:legacy-compat"/>
<xsl:param name="version"/>

<xsl:variable name="httpd">https://httpd.apache.org/docs/2.4/</xsl:variable>
<xsl:variable name="upper">ABCDEFGHIJKLMNOPQRSTUVWXYZ</xsl:variable>
<xsl:variable name="lower">abcdefghijklmnopqrstuvwxyz</xsl:variable>
<xsl:key name="own" match="directivesynopsis" use="name"/>

<xsl:template match="/modulesynopsis">
<html lang="en">
<head>
<meta charset="UTF-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title><xsl:value-of select="name"/> - Apache HTTP Server</title>
<style>
:root { color-scheme: light dark; --line: #b8b8c4; --back: #f3f3f7;
  --link: #1a4fa0; --text: #1d1d22; --page: #fff; --warn: #fff1d6; }
@media (prefers-color-scheme: dark) { :root { --line: #55555f;
  --back: #26262d; --link: #8ab4ff; --text: #e4e4ea; --page: #18181c;
  --warn: #40330f; } }
body { font: 16px/1.5 sans-serif; color: var(--text);
  background: var(--page); margin: 0 auto; padding: 1em; max-width: 56em; }
a { color: var(--link); }
h1 { line-height: 1.2; }
h2 { margin-top: 2.2em; border-bottom: 1px solid var(--line); }
h3 { margin-top: 1.8em; }
code, pre { font: 14px/1.45 monospace; }
pre { background: var(--back); border: 1px solid var(--line);
  padding: .7em 1em; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .3em .7em;
  border: 1px solid var(--line); }
table.facts th { white-space: nowrap; background: var(--back); }
.note { background: var(--back); border-left: 4px solid var(--line);
  padding: .1em 1em; margin: 1em 0; }
.warning { background: var(--warn); }
ul.toc { columns: 16em; }
figure { margin: 1.5em 0; }
figure svg { width: 100%; height: auto; }
dt { font-weight: bold; margin-top: .6em; }
footer { margin-top: 3em; border-top: 1px solid var(--line);
  font-size: .9em; }
</style>
</head>
<body>
<h1>Apache Module <xsl:value-of select="name"/></h1>
<div class="scroll"><table class="facts">
<tr><th>Description</th><td><xsl:apply-templates select="description/node()"/></td></tr>
<tr><th>Status</th><td><xsl:value-of select="status"/></td></tr>
<tr><th>Module Identifier</th><td><xsl:value-of select="identifier"/></td></tr>
<tr><th>Source File</th><td><xsl:value-of select="sourcefile"/></td></tr>
<tr><th>Compatibility</th><td><xsl:apply-templates select="compatibility/node()"/></td></tr>
</table></div>

<h2 id="summary">Summary</h2>
<xsl:apply-templates select="summary/node()"/>

<h3>Topics</h3>
<ul class="toc">
<xsl:for-each select="section">
<li><a href="#{@id}"><xsl:apply-templates select="title/node()"/></a></li>
</xsl:for-each>
</ul>
<h3>Directives</h3>
<ul class="toc">
<xsl:for-each select="directivesynopsis">
<xsl:sort select="name"/>
<li><xsl:call-template name="own-link"><xsl:with-param name="name" select="name"/></xsl:call-template></li>
</xsl:for-each>
</ul>
<xsl:if test="seealso">
<h3>See also</h3>
<ul><xsl:for-each select="seealso"><li><xsl:apply-templates/></li></xsl:for-each></ul>
</xsl:if>

<xsl:apply-templates select="section"/>
<xsl:apply-templates select="directivesynopsis">
<xsl:sort select="name"/>
</xsl:apply-templates>

<footer><p>
<xsl:value-of select="name"/><xsl:text> </xsl:text><xsl:value-of select="$version"/>.
Licensed under the <a href="https://www.apache.org/licenses/LICENSE-2.0">Apache License, Version 2.0</a>.
</p></footer>
</body>
</html>
</xsl:template>

<!-- directives -->

<xsl:template match="directivesynopsis">
<h2 id="{translate(name, $upper, $lower)}"><xsl:value-of select="name"/> Directive</h2>
<div class="scroll"><table class="facts">
<tr><th>Description</th><td><xsl:apply-templates select="description/node()"/></td></tr>
<tr><th>Syntax</th><td><code><xsl:apply-templates select="syntax/node()"/></code></td></tr>
<xsl:if test="default">
<tr><th>Default</th><td><code><xsl:apply-templates select="default/node()"/></code></td></tr>
</xsl:if>
<tr><th>Context</th><td><xsl:for-each select="contextlist/context">
<xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="."/></xsl:for-each></td></tr>
<tr><th>Status</th><td><xsl:value-of select="/modulesynopsis/status"/></td></tr>
<tr><th>Module</th><td><xsl:value-of select="/modulesynopsis/name"/></td></tr>
<xsl:if test="compatibility">
<tr><th>Compatibility</th><td><xsl:apply-templates select="compatibility/node()"/></td></tr>
</xsl:if>
</table></div>
<xsl:apply-templates select="usage/node()"/>
<xsl:if test="seealso">
<h3>See also</h3>
<ul><xsl:for-each select="seealso"><li><xsl:apply-templates/></li></xsl:for-each></ul>
</xsl:if>
</xsl:template>

<!-- sections -->

<xsl:template match="section">
<h2><xsl:if test="@id"><xsl:attribute name="id"><xsl:value-of select="@id"/></xsl:attribute></xsl:if>
<xsl:apply-templates select="title/node()"/></h2>
<xsl:apply-templates select="*[not(self::title)]"/>
</xsl:template>

<xsl:template match="section/section">
<h3><xsl:if test="@id"><xsl:attribute name="id"><xsl:value-of select="@id"/></xsl:attribute></xsl:if>
<xsl:apply-templates select="title/node()"/></h3>
<xsl:apply-templates select="*[not(self::title)]"/>
</xsl:template>

<!-- links: what is not ours is in httpd's manual -->

<xsl:template name="own-link">
<xsl:param name="name"/>
<a href="#{translate($name, $upper, $lower)}"><code><xsl:value-of select="$name"/></code></a>
</xsl:template>

<xsl:template match="directive">
<xsl:variable name="name"><xsl:choose>
<xsl:when test="@name"><xsl:value-of select="@name"/></xsl:when>
<xsl:otherwise><xsl:value-of select="."/></xsl:otherwise></xsl:choose></xsl:variable>
<xsl:choose>
<xsl:when test="key('own', $name) and ancestor::directivesynopsis/name = $name">
<code><xsl:value-of select="."/></code></xsl:when>
<xsl:when test="key('own', $name)">
<a href="#{translate($name, $upper, $lower)}"><code><xsl:value-of select="."/></code></a></xsl:when>
<xsl:when test="@module">
<a href="{$httpd}mod/{@module}.html#{translate($name, $upper, $lower)}"><code>
<xsl:if test="@type = 'section'">&lt;</xsl:if><xsl:value-of select="."/>
<xsl:if test="@type = 'section'">&gt;</xsl:if></code></a></xsl:when>
<xsl:otherwise>
<xsl:message terminate="yes">directive <xsl:value-of select="."/>: not ours and no module given</xsl:message>
</xsl:otherwise>
</xsl:choose>
</xsl:template>

<xsl:template match="module">
<xsl:choose>
<xsl:when test=". = /modulesynopsis/name"><code><xsl:value-of select="."/></code></xsl:when>
<xsl:otherwise><a href="{$httpd}mod/{.}.html"><code><xsl:value-of select="."/></code></a></xsl:otherwise>
</xsl:choose>
</xsl:template>

<xsl:template match="a">
<a><xsl:attribute name="href"><xsl:choose>
<xsl:when test="starts-with(@href, '../')"><xsl:value-of select="concat($httpd, substring(@href, 4))"/></xsl:when>
<xsl:otherwise><xsl:value-of select="@href"/></xsl:otherwise>
</xsl:choose></xsl:attribute><xsl:apply-templates/></a>
</xsl:template>

<xsl:template match="rfc">
<a href="https://www.rfc-editor.org/rfc/rfc{.}"><xsl:text>RFC </xsl:text><xsl:value-of select="."/></a>
<xsl:if test="@section">, section <xsl:value-of select="@section"/></xsl:if>
</xsl:template>

<!-- blocks -->

<xsl:template match="highlight"><pre><code><xsl:call-template name="trim"/></code></pre></xsl:template>
<xsl:template match="example"><xsl:apply-templates select="title"/><pre><xsl:apply-templates select="node()[not(self::title)]"/></pre></xsl:template>
<xsl:template match="example/title"><p><em><xsl:apply-templates/></em></p></xsl:template>
<xsl:template match="example/pre"><xsl:call-template name="trim"/></xsl:template>
<xsl:template match="example/text()[normalize-space() = '']"/>
<xsl:template match="pre"><pre><xsl:call-template name="trim"/></pre></xsl:template>

<!-- without an empty first line and the blanks at the end -->
<xsl:template name="trim">
<xsl:param name="text" select="string(.)"/>
<xsl:variable name="last" select="substring($text, string-length($text))"/>
<xsl:choose>
<xsl:when test="starts-with($text, '&#10;')">
<xsl:call-template name="trim"><xsl:with-param name="text" select="substring($text, 2)"/></xsl:call-template></xsl:when>
<xsl:when test="$last = ' ' or $last = '&#10;'">
<xsl:call-template name="trim"><xsl:with-param name="text" select="substring($text, 1, string-length($text) - 1)"/></xsl:call-template></xsl:when>
<xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise></xsl:choose>
</xsl:template>

<xsl:template match="note">
<div class="note {@type}"><xsl:if test="title"><h3><xsl:apply-templates select="title/node()"/></h3></xsl:if>
<xsl:apply-templates select="node()[not(self::title)]"/></div>
</xsl:template>

<xsl:template match="table">
<div class="scroll"><table><xsl:apply-templates select="tr"/></table></div>
</xsl:template>

<xsl:template match="img[substring(@src, string-length(@src) - 3) = '.svg']">
<figure><xsl:copy-of select="document(@src, .)/svg:svg"/></figure>
</xsl:template>
<!-- a picture alone in a paragraph: a figure is a block of its own -->
<xsl:template match="p[img and normalize-space() = '']"><xsl:apply-templates select="img"/></xsl:template>

<xsl:template match="p | ul | ol | li | dl | dt | dd | tr | th | td | br | em | strong | code | blockquote | q | cite | dfn | var">
<xsl:element name="{name()}"><xsl:apply-templates select="node()"/></xsl:element>
</xsl:template>
<xsl:template match="program"><code><xsl:apply-templates/></code></xsl:template>

<xsl:template match="*">
<xsl:message terminate="yes">html.xsl does not know &lt;<xsl:value-of select="name()"/>&gt;</xsl:message>
</xsl:template>

</xsl:stylesheet>
