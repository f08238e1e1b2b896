<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_TW" sourcelanguage="en">
<context>
    <name>AnswerPanel</name>
    <message>
        <source>For {label} (probability {probability:.3f}). At the layer that was looked at, the network tells {fields} fields of the image apart.</source>
        <translation>針對「{label}」（機率 {probability:.3f}）。在所檢視的這一層，網路能區分影像中的 {fields} 個區塊。</translation>
    </message>
    <message>
        <source>Nothing at the layer that was looked at speaks for {label}.</source>
        <translation>在所檢視的這一層，沒有任何部位支持「{label}」。</translation>
    </message>
    <message>
        <source>&amp;Where did the model look?</source>
        <translation>模型看了哪裡？(&amp;W)</translation>
    </message>
    <message>
        <source>Class whose score is looked at</source>
        <translation>要檢視分數的類別</translation>
    </message>
    <message>
        <source>no heat</source>
        <translation>無反應</translation>
    </message>
    <message>
        <source>most</source>
        <translation>最強</translation>
    </message>
    <message>
        <source>The model</source>
        <translation>模型</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Error</source>
        <translation>錯誤</translation>
    </message>
    <message>
        <source>What helps</source>
        <translation>解決方法</translation>
    </message>
    <message>
        <source>Close this message</source>
        <translation>關閉此訊息</translation>
    </message>
</context>
<context>
    <name>CalibrationTab</name>
    <message>
        <source>Class or finding whose probabilities are shown</source>
        <translation>要顯示機率的類別或徵象</translation>
    </message>
    <message>
        <source>Pro&amp;babilities of</source>
        <translation>顯示機率(&amp;B)</translation>
    </message>
    <message>
        <source>Calibration</source>
        <translation>校準</translation>
    </message>
    <message>
        <source>all findings</source>
        <translation>所有徵象</translation>
    </message>
    <message>
        <source>the named class</source>
        <translation>模型判定的類別</translation>
    </message>
    <message>
        <source>On the dashed line, of images called with 80 % probability, 80 % are so. Below it the model is too sure of itself. Lines: 95 % intervals.</source>
        <translation>落在虛線上表示：模型以 80 % 機率判定的影像中，確實有 80 % 正確。低於虛線表示模型過度自信。線段：95 % 信賴區間。</translation>
    </message>
</context>
<context>
    <name>ChoiceRow</name>
    <message>
        <source>not with this plan</source>
        <translation>不適用於此計畫</translation>
    </message>
    <message>
        <source>A value of your own.</source>
        <translation>自訂的值。</translation>
    </message>
    <message>
        <source>Costs: {}.</source>
        <translation>代價：{}。</translation>
    </message>
    <message>
        <source>none</source>
        <translation>無</translation>
    </message>
</context>
<context>
    <name>ComparePage</name>
    <message>
        <source>Finished runs</source>
        <translation>已完成的執行</translation>
    </message>
    <message>
        <source>Tick two or more runs to see them side by side. Two runs that were tested on the same patients are compared patient by patient.</source>
        <translation>勾選兩個以上的執行即可並列檢視。若兩個執行以相同病人測試，會逐一病人比較。</translation>
    </message>
    <message>
        <source>There are no two finished runs to compare yet. Train the same plan in two ways, or two plans on the same images; or add the folder of runs that were made elsewhere.</source>
        <translation>目前還沒有兩個已完成的執行可供比較。請以兩種方式訓練同一計畫，或用相同影像訓練兩個計畫；也可加入在別處產生的執行資料夾。</translation>
    </message>
    <message>
        <source>&amp;Train a run</source>
        <translation>開始訓練(&amp;T)</translation>
    </message>
    <message>
        <source>Compare runs</source>
        <translation>比較執行</translation>
    </message>
    <message>
        <source>What finished runs reached, in which keys their plans differ, and how they learnt.</source>
        <translation>各個已完成執行的成績、計畫設定的差異，以及學習過程。</translation>
    </message>
    <message>
        <source>Finished &amp;runs</source>
        <translation>已完成的執行(&amp;R)</translation>
    </message>
    <message>
        <source>Add a &amp;folder…</source>
        <translation>加入資料夾(&amp;F)…</translation>
    </message>
    <message>
        <source>The folder of a run, or of a comparison</source>
        <translation>執行或比較的資料夾</translation>
    </message>
    <message>
        <source>At most {} runs fit side by side. Untick one first.</source>
        <translation>最多可並列 {} 個執行。請先取消勾選一個。</translation>
    </message>
</context>
<context>
    <name>ConfusionMatrix</name>
    <message>
        <source>called by the model</source>
        <translation>模型判定</translation>
    </message>
    <message>
        <source>truth</source>
        <translation>真實</translation>
    </message>
    <message>
        <source>Confusion: what the model calls each class</source>
        <translation>混淆矩陣：模型如何判定各類別</translation>
    </message>
</context>
<context>
    <name>ConfusionTab</name>
    <message>
        <source>Confusion</source>
        <translation>混淆矩陣</translation>
    </message>
</context>
<context>
    <name>CurvesTab</name>
    <message>
        <source>C&amp;urves of</source>
        <translation>曲線(&amp;U)</translation>
    </message>
    <message>
        <source>Class or finding whose curves are shown</source>
        <translation>要顯示曲線的類別或徵象</translation>
    </message>
    <message>
        <source>The nearer a ROC curve comes to the upper left corner, and a precision curve to the upper right one, the better. Dashed: guessing.</source>
        <translation>ROC 曲線越靠近左上角、精確率曲線越靠近右上角越好。虛線：隨機猜測。</translation>
    </message>
    <message>
        <source>Curves</source>
        <translation>曲線</translation>
    </message>
    <message>
        <source>ROC: hits against false alarms</source>
        <translation>ROC：命中率對誤報率</translation>
    </message>
    <message>
        <source>false alarms (1 − specificity)</source>
        <translation>誤報率（1 − 特異度）</translation>
    </message>
    <message>
        <source>hits (sensitivity)</source>
        <translation>命中率（敏感度）</translation>
    </message>
    <message>
        <source>Precision against recall</source>
        <translation>精確率對召回率</translation>
    </message>
    <message>
        <source>recall (sensitivity)</source>
        <translation>召回率（敏感度）</translation>
    </message>
    <message>
        <source>precision (PPV)</source>
        <translation>精確率（陽性預測值）</translation>
    </message>
    <message>
        <source>each hospital alone</source>
        <translation>各醫院單獨訓練</translation>
    </message>
</context>
<context>
    <name>DataPage</name>
    <message>
        <source>Choose a folder of images, or a table (CSV) that names them, or drop either one here. The data set is detected by its layout; nothing is changed or sent anywhere.</source>
        <translation>請選擇影像資料夾，或列出影像的表格（CSV），也可直接拖放到這裡。系統會依檔案結構辨識資料集；不會更動任何檔案，也不會傳送到任何地方。</translation>
    </message>
    <message>
        <source>Choose a &amp;folder…</source>
        <translation>選擇資料夾(&amp;F)…</translation>
    </message>
    <message>
        <source>&amp;Show the phantoms</source>
        <translation>顯示合成假影像(&amp;S)</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>資料</translation>
    </message>
    <message>
        <source>Which images are used, what becomes of each, and what would make results on them dishonest.</source>
        <translation>使用哪些影像、每張影像的去向，以及哪些問題會讓結果失真。</translation>
    </message>
    <message>
        <source>The plan has changed since the images were checked: check them again.</source>
        <translation>檢查影像之後計畫已變更：請重新檢查。</translation>
    </message>
    <message>
        <source>Folder of images, or table</source>
        <translation>影像資料夾或表格</translation>
    </message>
    <message>
        <source>Folder of images, or table (CSV): type a path and press Enter, or drop it here</source>
        <translation>影像資料夾或表格（CSV）：輸入路徑後按 Enter，或拖放到這裡</translation>
    </message>
    <message>
        <source>&amp;Folder…</source>
        <translation>資料夾(&amp;F)…</translation>
    </message>
    <message>
        <source>&amp;Table (CSV)…</source>
        <translation>表格 (CSV)(&amp;T)…</translation>
    </message>
    <message>
        <source>&amp;Map columns…</source>
        <translation>對應欄位(&amp;M)…</translation>
    </message>
    <message>
        <source>C&amp;heck images</source>
        <translation>檢查影像(&amp;H)</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>影像</translation>
    </message>
    <message>
        <source>Ledger</source>
        <translation>清冊</translation>
    </message>
    <message>
        <source>Findings</source>
        <translation>檢查發現</translation>
    </message>
    <message>
        <source>Split and labels</source>
        <translation>切分與標籤</translation>
    </message>
    <message>
        <source>Map columns by hand</source>
        <translation>手動對應欄位</translation>
    </message>
    <message>
        <source>&amp;Begin from the plan &apos;{plan}&apos; instead</source>
        <translation>改從計畫「{plan}」開始(&amp;B)</translation>
    </message>
    <message>
        <source>The plan &apos;{plan}&apos; names no folder, so phantoms are used: synthetic images in the layout of its data set, which show no patient. Choose a folder above to use real images.</source>
        <translation>計畫「{plan}」沒有指定資料夾，因此使用合成假影像（phantom）：依該資料集格式產生，不含任何病人。若要使用真實影像，請在上方選擇資料夾。</translation>
    </message>
    <message>
        <source>{title}: {images} images, {classes} classes</source>
        <translation>{title}：{images} 張影像，{classes} 個類別</translation>
    </message>
    <message>
        <source>These images are phantoms, drawn by a program.</source>
        <translation>這些影像是程式繪製的合成假影像（phantom）。</translation>
    </message>
    <message>
        <source>Folder of images</source>
        <translation>影像資料夾</translation>
    </message>
    <message>
        <source>Table of images</source>
        <translation>影像表格</translation>
    </message>
    <message>
        <source>Tables (*.csv *.tsv)</source>
        <translation>表格 (*.csv *.tsv)</translation>
    </message>
</context>
<context>
    <name>Dealing</name>
    <message numerus="yes">
        <source>{} (%n value(s))</source>
        <translation>
            <numerusform>{}（%n 個值）</numerusform>
        </translation>
    </message>
    <message>
        <source>All alike</source>
        <translation>完全相同</translation>
    </message>
    <message>
        <source>Different patients</source>
        <translation>病人組成不同</translation>
    </message>
    <message>
        <source>Different sizes</source>
        <translation>規模不同</translation>
    </message>
    <message>
        <source>Missing classes</source>
        <translation>缺少類別</translation>
    </message>
    <message>
        <source>Few classes each</source>
        <translation>各只有少數類別</translation>
    </message>
    <message>
        <source>Different scanners</source>
        <translation>掃描儀不同</translation>
    </message>
    <message>
        <source>As the data say</source>
        <translation>依資料所載</translation>
    </message>
    <message>
        <source>A folder each</source>
        <translation>各一個資料夾</translation>
    </message>
    <message>
        <source>How patients fall to &amp;hospitals</source>
        <translation>病人如何分配到醫院(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;Number of sites</source>
        <translation>院所數(&amp;N)</translation>
    </message>
    <message>
        <source>Al&amp;pha: left unlike, right alike</source>
        <translation>Alpha：左差異大，右相近(&amp;P)</translation>
    </message>
    <message>
        <source>P&amp;ieces a site</source>
        <translation>每院所的份數(&amp;I)</translation>
    </message>
    <message>
        <source>&amp;Common classes</source>
        <translation>共有的類別(&amp;C)</translation>
    </message>
    <message>
        <source>S&amp;trength of the difference, 0 to 1</source>
        <translation>差異強度，0 到 1(&amp;T)</translation>
    </message>
    <message>
        <source>Col&amp;umn that names the site</source>
        <translation>註明院所的欄位(&amp;U)</translation>
    </message>
    <message>
        <source>See&amp;d: another one deals, and trains, anew</source>
        <translation>亂數種子：換一個就重新分配並訓練(&amp;D)</translation>
    </message>
    <message>
        <source>Alpha</source>
        <translation>Alpha</translation>
    </message>
    <message>
        <source>Only these (&amp;all: leave empty)</source>
        <translation>僅限這些（全部請留空）(&amp;A)</translation>
    </message>
    <message>
        <source>N&amp;ames: sub-folders of the data folder</source>
        <translation>名稱：資料夾下的子資料夾(&amp;A)</translation>
    </message>
    <message>
        <source>N&amp;ames, separated by commas</source>
        <translation>名稱，以逗號分隔(&amp;A)</translation>
    </message>
</context>
<context>
    <name>ErrorsTab</name>
    <message>
        <source>Worst errors</source>
        <translation>最嚴重的錯誤</translation>
    </message>
    <message>
        <source>&amp;Where did the model look?</source>
        <translation>模型看了哪裡？(&amp;W)</translation>
    </message>
    <message>
        <source>Show the hea&amp;t map</source>
        <translation>顯示熱圖(&amp;T)</translation>
    </message>
    <message>
        <source>Errors</source>
        <translation>錯誤</translation>
    </message>
    <message>
        <source>The test images that the model named wrongly with the highest probability. Choose one to see it large.</source>
        <translation>模型以最高機率誤判的測試影像。選取一張即可放大檢視。</translation>
    </message>
    <message>
        <source>In colour: where the score of {label} ({share}) comes from.</source>
        <translation>彩色部分：「{label}」（{share}）的分數來自何處。</translation>
    </message>
</context>
<context>
    <name>Filters</name>
    <message>
        <source>Class</source>
        <translation>類別</translation>
    </message>
    <message>
        <source>Split</source>
        <translation>切分</translation>
    </message>
    <message>
        <source>Site</source>
        <translation>院所</translation>
    </message>
    <message>
        <source>Status and reason</source>
        <translation>狀態與原因</translation>
    </message>
    <message>
        <source>Part of an image&apos;s name, label or patient</source>
        <translation>影像名稱、標籤或病人的一部分</translation>
    </message>
    <message>
        <source>Name, label or patient</source>
        <translation>名稱、標籤或病人</translation>
    </message>
    <message>
        <source>No site</source>
        <translation>無院所</translation>
    </message>
    <message>
        <source>All classes</source>
        <translation>所有類別</translation>
    </message>
    <message>
        <source>All splits</source>
        <translation>所有切分</translation>
    </message>
    <message>
        <source>All sites</source>
        <translation>所有院所</translation>
    </message>
    <message>
        <source>Any status</source>
        <translation>任何狀態</translation>
    </message>
    <message>
        <source>{shown} of {total} images</source>
        <translation>{total} 張影像中的 {shown} 張</translation>
    </message>
</context>
<context>
    <name>FindingsTab</name>
    <message>
        <source>The images have not been checked. Checking reads every image once and looks for unreadable ones, duplicates, and patients or copies on both sides of a split. The decoded images are kept, so that training starts sooner.</source>
        <translation>影像尚未檢查。檢查時會讀取每張影像一次，找出無法讀取的、重複的，以及同時出現在切分兩邊的病人或副本。解碼後的影像會保留，讓訓練更快開始。</translation>
    </message>
    <message>
        <source>C&amp;heck images</source>
        <translation>檢查影像(&amp;H)</translation>
    </message>
    <message>
        <source>Leaks of the published split</source>
        <translation>公開切分的洩漏</translation>
    </message>
    <message>
        <source>Pairs of images</source>
        <translation>成對的影像</translation>
    </message>
    <message>
        <source>Pairs to look at (a double click shows the first)</source>
        <translation>值得檢視的影像對（按兩下顯示第一張）</translation>
    </message>
    <message>
        <source>None</source>
        <translation>無</translation>
    </message>
    <message>
        <source>Caution</source>
        <translation>注意</translation>
    </message>
    <message>
        <source>Problem</source>
        <translation>問題</translation>
    </message>
    <message>
        <source>Findings</source>
        <translation>徵象</translation>
    </message>
</context>
<context>
    <name>Gallery</name>
    <message>
        <source>Images</source>
        <translation>影像</translation>
    </message>
</context>
<context>
    <name>GroupPanel</name>
    <message>
        <source>Fewer settings</source>
        <translation>較少設定</translation>
    </message>
    <message>
        <source>More settings</source>
        <translation>更多設定</translation>
    </message>
    <message numerus="yes">
        <source>{} (%n set)</source>
        <translation>
            <numerusform>{}（已設定 %n 項）</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>HospitalsTab</name>
    <message>
        <source>Hospitals</source>
        <translation>醫院</translation>
    </message>
    <message>
        <source>model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>tested at</source>
        <translation>測試醫院</translation>
    </message>
    <message>
        <source>Models: {}</source>
        <translation>模型：{}</translation>
    </message>
</context>
<context>
    <name>ImagesTab</name>
    <message>
        <source>Click an image to see it large.</source>
        <translation>按一下影像即可放大檢視。</translation>
    </message>
    <message>
        <source>truth</source>
        <translation>真實</translation>
    </message>
</context>
<context>
    <name>JobView</name>
    <message>
        <source>Running</source>
        <translation>執行中</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暫停</translation>
    </message>
    <message>
        <source>Stopping after this round is saved</source>
        <translation>本回合儲存後停止</translation>
    </message>
    <message>
        <source>Stopped, can be resumed</source>
        <translation>已停止，可繼續</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失敗</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>{} of {} steps</source>
        <translation>第 {}／{} 步</translation>
    </message>
    <message>
        <source>{} of {}</source>
        <translation>{}／{} 回合</translation>
    </message>
    <message>
        <source>Round {} of {}: {}</source>
        <translation>第 {}／{} 回合：{}</translation>
    </message>
    <message>
        <source>Round {} of {}</source>
        <translation>第 {}／{} 回合</translation>
    </message>
    <message>
        <source>about {} left</source>
        <translation>約剩 {}</translation>
    </message>
    <message>
        <source>{} s</source>
        <translation>{} 秒</translation>
    </message>
    <message>
        <source>{} min</source>
        <translation>{} 分鐘</translation>
    </message>
    <message>
        <source>{} h</source>
        <translation>{} 小時</translation>
    </message>
    <message>
        <source>(none: it was killed, perhaps for want of memory)</source>
        <translation>（無：程序被強制結束，可能是記憶體不足）</translation>
    </message>
    <message>
        <source>Training ended before it was done. Its last words:
{}
If they name a cause, mend that first. Resume goes on from the last round that was saved.</source>
        <translation>訓練在完成前就結束了。最後的訊息：
{}
若其中說明了原因，請先排除。「繼續」會從最後儲存的回合接著訓練。</translation>
    </message>
    <message>
        <source>Res&amp;ume</source>
        <translation>繼續(&amp;U)</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>啟動中</translation>
    </message>
    <message>
        <source>All runs</source>
        <translation>所有執行</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>暫停(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Go on</source>
        <translation>繼續進行(&amp;G)</translation>
    </message>
    <message>
        <source>St&amp;op</source>
        <translation>停止(&amp;O)</translation>
    </message>
    <message>
        <source>Show &amp;results</source>
        <translation>顯示結果(&amp;R)</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>進度</translation>
    </message>
    <message>
        <source>Runs</source>
        <translation>執行</translation>
    </message>
    <message>
        <source>Sites</source>
        <translation>院所</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>紀錄</translation>
    </message>
</context>
<context>
    <name>Lanes</name>
    <message>
        <source>Waiting</source>
        <translation>等待中</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>訓練中</translation>
    </message>
    <message>
        <source>Sending</source>
        <translation>傳送中</translation>
    </message>
    <message>
        <source>Late</source>
        <translation>延遲</translation>
    </message>
    <message>
        <source>Done</source>
        <translation>完成</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失敗</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>執行中</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暫停</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>停止中</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>已完成</translation>
    </message>
</context>
<context>
    <name>LedgerTab</name>
    <message>
        <source>Case ledger</source>
        <translation>個案清冊</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>影像</translation>
    </message>
    <message>
        <source>Label</source>
        <translation>標籤</translation>
    </message>
    <message>
        <source>Status</source>
        <translation>狀態</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>原因</translation>
    </message>
    <message>
        <source>Split</source>
        <translation>切分</translation>
    </message>
    <message>
        <source>Site</source>
        <translation>院所</translation>
    </message>
    <message>
        <source>Patient</source>
        <translation>病人</translation>
    </message>
    <message>
        <source>Group</source>
        <translation>群組</translation>
    </message>
    <message>
        <source>In group</source>
        <translation>同群組張數</translation>
    </message>
    <message>
        <source>Published split</source>
        <translation>公開的切分</translation>
    </message>
    <message>
        <source>Select a row for what became of the image; a double click shows it.</source>
        <translation>選取一列即可得知影像的去向；按兩下可顯示影像。</translation>
    </message>
    <message>
        <source>Status and reason of each image are known once the images are checked.</source>
        <translation>檢查影像之後，才會知道每張影像的狀態與原因。</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Pages</source>
        <translation>頁面</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>開始</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>資料</translation>
    </message>
    <message>
        <source>Sites</source>
        <translation>院所</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>計畫</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>執行</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>結果</translation>
    </message>
    <message>
        <source>Compare runs</source>
        <translation>比較執行</translation>
    </message>
    <message>
        <source>Predict</source>
        <translation>預測</translation>
    </message>
    <message>
        <source>Security</source>
        <translation>安全</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>報告</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>檔案(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Open plan…</source>
        <translation>開啟計畫(&amp;O)…</translation>
    </message>
    <message>
        <source>Open &amp;run…</source>
        <translation>開啟執行(&amp;R)…</translation>
    </message>
    <message>
        <source>&amp;Save plan</source>
        <translation>儲存計畫(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>結束(&amp;Q)</translation>
    </message>
    <message>
        <source>&amp;Go</source>
        <translation>前往(&amp;G)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>檢視(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>說明(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;About wardround</source>
        <translation>關於 wardround(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Colours</source>
        <translation>配色(&amp;C)</translation>
    </message>
    <message>
        <source>As the desktop</source>
        <translation>與系統相同</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>淺色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>&amp;Text size</source>
        <translation>文字大小(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Language</source>
        <translation>語言(&amp;L)</translation>
    </message>
    <message>
        <source>L&amp;arger text</source>
        <translation>放大文字(&amp;A)</translation>
    </message>
    <message>
        <source>S&amp;maller text</source>
        <translation>縮小文字(&amp;M)</translation>
    </message>
    <message>
        <source>Open a plan</source>
        <translation>開啟計畫</translation>
    </message>
    <message>
        <source>Plans (*.toml)</source>
        <translation>計畫 (*.toml)</translation>
    </message>
    <message>
        <source>Open a run or comparison</source>
        <translation>開啟執行或比較</translation>
    </message>
    <message>
        <source>About wardround</source>
        <translation>關於 wardround</translation>
    </message>
    <message>
        <source>wardround {}

Federated learning for medical images: hospitals train one model together while every image stays where it was taken.

Research software: not a medical device, not for clinical use.</source>
        <translation>wardround {}

醫學影像的聯邦學習：各醫院共同訓練一個模型，而每張影像都留在原處。

研究用軟體：並非醫療器材，不可用於臨床。</translation>
    </message>
</context>
<context>
    <name>MappingDialog</name>
    <message>
        <source>Map columns</source>
        <translation>對應欄位</translation>
    </message>
    <message>
        <source>&amp;Image file</source>
        <translation>影像檔(&amp;I)</translation>
    </message>
    <message>
        <source>&amp;Label</source>
        <translation>標籤(&amp;L)</translation>
    </message>
    <message>
        <source>or mas&amp;k file</source>
        <translation>或遮罩檔(&amp;K)</translation>
    </message>
    <message>
        <source>&amp;Patient</source>
        <translation>病人(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Site</source>
        <translation>院所(&amp;S)</translation>
    </message>
    <message>
        <source>Spli&amp;t</source>
        <translation>切分(&amp;T)</translation>
    </message>
    <message>
        <source>Images start i&amp;n</source>
        <translation>影像起始資料夾(&amp;N)</translation>
    </message>
    <message>
        <source>or &amp;findings (columns of 1 and 0)</source>
        <translation>或徵象（值為 1 與 0 的欄位）(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Classes of the mask</source>
        <translation>遮罩的類別(&amp;C)</translation>
    </message>
    <message>
        <source>First rows of the table</source>
        <translation>表格的前幾列</translation>
    </message>
    <message>
        <source>What is in the columns of {table}?</source>
        <translation>{table} 的各欄是什麼內容？</translation>
    </message>
    <message>
        <source>The table and the images stay as they are: a table that wardround reads is written to the workspace, the images are linked beside it.</source>
        <translation>原本的表格與影像都保持不變：wardround 會在工作資料夾寫入自己讀取的表格，並在旁邊連結影像。</translation>
    </message>
    <message>
        <source>The first of {rows} rows</source>
        <translation>共 {rows} 列中的前幾列</translation>
    </message>
    <message>
        <source>C&amp;hoose…</source>
        <translation>選擇(&amp;H)…</translation>
    </message>
    <message>
        <source>Folder in which the names of images start</source>
        <translation>影像名稱所在的起始資料夾</translation>
    </message>
    <message>
        <source>(none)</source>
        <translation>（無）</translation>
    </message>
    <message>
        <source>Columns of findings</source>
        <translation>徵象欄位</translation>
    </message>
    <message>
        <source>leave empty for 0 and 1 (or 255); else e.g. background, oedema, tumour</source>
        <translation>值為 0 與 1（或 255）時請留空；否則例如：背景, 水腫, 腫瘤</translation>
    </message>
    <message>
        <source>✓ Nothing is missing.</source>
        <translation>✓ 沒有缺漏。</translation>
    </message>
</context>
<context>
    <name>NumberRow</name>
    <message>
        <source>Type {}.</source>
        <translation>請輸入：{}。</translation>
    </message>
    <message>
        <source>{} if it is not set</source>
        <translation>未設定時為 {}</translation>
    </message>
</context>
<context>
    <name>OverviewTab</name>
    <message>
        <source>Overview</source>
        <translation>總覽</translation>
    </message>
    <message>
        <source>The run</source>
        <translation>這次執行</translation>
    </message>
    <message>
        <source>What the words mean</source>
        <translation>名詞解釋</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>計畫</translation>
    </message>
    <message>
        <source>Data set</source>
        <translation>資料集</translation>
    </message>
    <message>
        <source>Arm</source>
        <translation>訓練方式</translation>
    </message>
    <message>
        <source>Rounds</source>
        <translation>回合</translation>
    </message>
    <message>
        <source>Round kept</source>
        <translation>採用的回合</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>時間</translation>
    </message>
    <message>
        <source>Training, all hospitals</source>
        <translation>訓練時間（所有醫院）</translation>
    </message>
    <message>
        <source>Sent</source>
        <translation>傳輸量</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>影像</translation>
    </message>
    <message>
        <source>Tested on</source>
        <translation>測試對象</translation>
    </message>
    <message>
        <source>Left out</source>
        <translation>排除</translation>
    </message>
    <message>
        <source>Phantoms</source>
        <translation>合成假影像</translation>
    </message>
    <message>
        <source>Started</source>
        <translation>開始時間</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>資料夾</translation>
    </message>
    <message>
        <source>Two models on the same patients</source>
        <translation>兩個模型，相同病人</translation>
    </message>
    <message>
        <source>Which models are compared</source>
        <translation>比較哪些模型</translation>
    </message>
</context>
<context>
    <name>Page</name>
    <message>
        <source>Reading {}…</source>
        <translation>正在讀取 {}…</translation>
    </message>
</context>
<context>
    <name>PlanPage</name>
    <message>
        <source>No plan is open. A plan says how a network is trained, and by whom.</source>
        <translation>尚未開啟計畫。計畫說明網路如何訓練、由誰訓練。</translation>
    </message>
    <message>
        <source>&amp;Choose a plan on the page Start</source>
        <translation>到「開始」頁選擇計畫(&amp;C)</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>計畫</translation>
    </message>
    <message>
        <source>How the network is trained, by whom, and what protects whom. The text on the right is the plan: edit either side.</source>
        <translation>網路如何訓練、由誰訓練、用什麼保護誰。右邊的文字就是計畫：兩邊都可以編輯。</translation>
    </message>
    <message>
        <source>The plan as text (TOML)</source>
        <translation>計畫的文字（TOML）</translation>
    </message>
    <message>
        <source>Forecast: an estimate</source>
        <translation>預估（估計值）</translation>
    </message>
    <message>
        <source>&amp;Forecast</source>
        <translation>預估(&amp;F)</translation>
    </message>
    <message>
        <source>Sa&amp;ve plan</source>
        <translation>儲存計畫(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Train</source>
        <translation>訓練(&amp;T)</translation>
    </message>
    <message>
        <source>Time, memory and bytes on this machine, from a few steps of this plan&apos;s training on noise</source>
        <translation>以雜訊試跑此計畫的幾個訓練步驟，估計本機所需的時間、記憶體與傳輸量</translation>
    </message>
    <message>
        <source>Save the plan and train its hospitals together</source>
        <translation>儲存計畫，並讓各醫院共同訓練</translation>
    </message>
    <message>
        <source>The form waits until the text is mended; nothing of it is lost.</source>
        <translation>表單會等到文字修正為止；內容不會遺失。</translation>
    </message>
    <message>
        <source>✗ {} does not go with {}: {}. {}</source>
        <translation>✗ {} 不能與 {} 並用：{}。{}</translation>
    </message>
</context>
<context>
    <name>PredictPage</name>
    <message>
        <source>No run is open. A run leaves a model, which answers here for new images.</source>
        <translation>尚未開啟執行。執行完成後會留下模型，可在這裡判讀新影像。</translation>
    </message>
    <message>
        <source>&amp;Open a run or comparison…</source>
        <translation>開啟執行或比較(&amp;O)…</translation>
    </message>
    <message>
        <source>Predict</source>
        <translation>預測</translation>
    </message>
    <message>
        <source>Ask a trained model about new images: probabilities of classes, or a mask. Nothing leaves this computer.</source>
        <translation>讓訓練好的模型判讀新影像：給出各類別的機率，或分割遮罩。資料不會離開這部電腦。</translation>
    </message>
    <message>
        <source>No model is open, so nothing can be answered. Open a finished run first.</source>
        <translation>尚未開啟模型，無法判讀。請先開啟已完成的執行。</translation>
    </message>
    <message>
        <source>This model&apos;s network is a program of its author&apos;s, which would be run. If you trust it, tick the box below the model first.</source>
        <translation>此模型的網路是其作者撰寫的程式，判讀時會執行它。若您信任它，請先勾選模型下方的方塊。</translation>
    </message>
    <message>
        <source>Not for clinical use. A research model: no answer of it supports a decision about a patient.</source>
        <translation>不可用於臨床。這是研究用模型：它的任何判讀都不能作為病人診療決策的依據。</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Hos&amp;pital of the images</source>
        <translation>影像所屬醫院(&amp;P)</translation>
    </message>
    <message>
        <source>Hospital that the images come from</source>
        <translation>影像來自哪家醫院</translation>
    </message>
    <message>
        <source>Open another &amp;run…</source>
        <translation>開啟其他執行(&amp;R)…</translation>
    </message>
    <message>
        <source>I &amp;trust this program: run it</source>
        <translation>我信任此程式，請執行(&amp;T)</translation>
    </message>
    <message>
        <source>Answers</source>
        <translation>判讀結果</translation>
    </message>
    <message>
        <source>Open images…</source>
        <translation>開啟影像…</translation>
    </message>
    <message>
        <source>Open &amp;images…</source>
        <translation>開啟影像(&amp;I)…</translation>
    </message>
    <message>
        <source>Open fol&amp;der…</source>
        <translation>開啟資料夾(&amp;D)…</translation>
    </message>
    <message>
        <source>Images and folders can be dropped on this page too.</source>
        <translation>也可以將影像與資料夾拖放到此頁。</translation>
    </message>
    <message>
        <source>&amp;Export table…</source>
        <translation>匯出表格(&amp;E)…</translation>
    </message>
    <message>
        <source>&amp;Save masks to…</source>
        <translation>遮罩另存至(&amp;S)…</translation>
    </message>
    <message>
        <source>not said</source>
        <translation>未註明</translation>
    </message>
    <message>
        <source>The network of this model is a program of its author&apos;s ({program}), which would be run on this computer with your rights. Without it the model cannot answer.</source>
        <translation>此模型的網路是其作者撰寫的程式（{program}），會以您的權限在這部電腦上執行。沒有它，模型無法判讀。</translation>
    </message>
    <message>
        <source>Drop images or a folder here.

This model reads {accepted}.</source>
        <translation>將影像或資料夾拖放到這裡。

此模型可讀取：{accepted}。</translation>
    </message>
    <message>
        <source>There is no model to ask yet. The message above says why.</source>
        <translation>目前還沒有可用的模型。原因請見上方訊息。</translation>
    </message>
    <message numerus="yes">
        <source>%n image(s)</source>
        <translation>
            <numerusform>%n 張影像</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n could not be read</source>
        <translation>
            <numerusform>%n 張無法讀取</numerusform>
        </translation>
    </message>
    <message>
        <source>model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Open a run or comparison</source>
        <translation>開啟執行或比較</translation>
    </message>
    <message>
        <source>Open images</source>
        <translation>開啟影像</translation>
    </message>
    <message>
        <source>Images ({})</source>
        <translation>影像 ({})</translation>
    </message>
    <message>
        <source>Open a folder of images</source>
        <translation>開啟影像資料夾</translation>
    </message>
    <message>
        <source>Export the table</source>
        <translation>匯出表格</translation>
    </message>
    <message>
        <source>Tables (*.csv)</source>
        <translation>表格 (*.csv)</translation>
    </message>
    <message>
        <source>Written: {}</source>
        <translation>已寫入：{}</translation>
    </message>
    <message>
        <source>Save masks to a folder</source>
        <translation>將遮罩儲存至資料夾</translation>
    </message>
    <message numerus="yes">
        <source>%n mask(s) saved</source>
        <translation>
            <numerusform>已儲存 %n 個遮罩</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Reliability</name>
    <message>
        <source>stated probability</source>
        <translation>模型給出的機率</translation>
    </message>
    <message>
        <source>observed share</source>
        <translation>實際比例</translation>
    </message>
    <message>
        <source>number</source>
        <translation>數量</translation>
    </message>
    <message>
        <source>Calibration: do stated probabilities come true?</source>
        <translation>校準：模型給出的機率是否符合實際？</translation>
    </message>
    <message>
        <source>How often each probability was stated</source>
        <translation>各機率出現的次數</translation>
    </message>
</context>
<context>
    <name>Remarks</name>
    <message>
        <source>Problem</source>
        <translation>問題</translation>
    </message>
    <message>
        <source>Caution</source>
        <translation>注意</translation>
    </message>
</context>
<context>
    <name>ReportPage</name>
    <message>
        <source>No run is open. Open a finished run or a comparison to read, export and print its report.</source>
        <translation>尚未開啟執行。開啟已完成的執行或比較，即可閱讀、匯出與列印報告。</translation>
    </message>
    <message>
        <source>&amp;Choose a run</source>
        <translation>選擇執行(&amp;C)</translation>
    </message>
    <message>
        <source>This run has no report yet.</source>
        <translation>這次執行還沒有報告。</translation>
    </message>
    <message>
        <source>Write &amp;it</source>
        <translation>撰寫報告(&amp;I)</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>報告</translation>
    </message>
    <message>
        <source>What readers and reviewers get: one file that holds all it needs and loads nothing.</source>
        <translation>讀者與審閱者拿到的內容：單一檔案，所需內容全部內含，不會載入外部資源。</translation>
    </message>
    <message>
        <source>Report &amp;of</source>
        <translation>報告對象(&amp;O)</translation>
    </message>
    <message>
        <source>&amp;Write again</source>
        <translation>重新撰寫(&amp;W)</translation>
    </message>
    <message>
        <source>Export &amp;HTML…</source>
        <translation>匯出 HTML(&amp;H)…</translation>
    </message>
    <message>
        <source>Export &amp;PDF…</source>
        <translation>匯出 PDF(&amp;P)…</translation>
    </message>
    <message>
        <source>Open in &amp;browser</source>
        <translation>以瀏覽器開啟(&amp;B)</translation>
    </message>
    <message>
        <source>Smaller</source>
        <translation>縮小</translation>
    </message>
    <message>
        <source>Larger</source>
        <translation>放大</translation>
    </message>
    <message>
        <source>Size of the preview</source>
        <translation>預覽大小</translation>
    </message>
    <message>
        <source>The report</source>
        <translation>報告</translation>
    </message>
    <message>
        <source>The preview needs a library that this system lacks ({}). Open the report in a browser instead.</source>
        <translation>此系統缺少預覽所需的程式庫（{}）。請改用瀏覽器開啟報告。</translation>
    </message>
    <message>
        <source>Web page (*.html)</source>
        <translation>網頁 (*.html)</translation>
    </message>
    <message>
        <source>Saved: {}</source>
        <translation>已儲存：{}</translation>
    </message>
    <message>
        <source>PDF (*.pdf)</source>
        <translation>PDF (*.pdf)</translation>
    </message>
    <message>
        <source>Printing…</source>
        <translation>列印中…</translation>
    </message>
    <message>
        <source>Save the report</source>
        <translation>儲存報告</translation>
    </message>
</context>
<context>
    <name>ResultsPage</name>
    <message>
        <source>No results are open. Train on the Run page, or open the folder of a run or comparison.</source>
        <translation>尚未開啟結果。請到「執行」頁訓練，或開啟執行或比較的資料夾。</translation>
    </message>
    <message>
        <source>Open a folder…</source>
        <translation>開啟資料夾…</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>結果</translation>
    </message>
    <message>
        <source>How good the models are, at which hospital, where they err, and how sure that is.</source>
        <translation>模型有多好、在哪家醫院、錯在哪裡，以及這些結論有多可靠。</translation>
    </message>
    <message>
        <source>Runs and comparisons that were opened lately</source>
        <translation>最近開啟的執行與比較</translation>
    </message>
    <message>
        <source>&amp;Shown</source>
        <translation>顯示(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Open folder…</source>
        <translation>開啟資料夾(&amp;O)…</translation>
    </message>
    <message>
        <source>Parts of the results</source>
        <translation>結果的各部分</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>Model that this tab is about</source>
        <translation>此分頁所說明的模型</translation>
    </message>
    <message>
        <source>Open a run or comparison</source>
        <translation>開啟執行或比較</translation>
    </message>
</context>
<context>
    <name>RunCurves</name>
    <message>
        <source>C&amp;urves of</source>
        <translation>曲線(&amp;U)</translation>
    </message>
    <message>
        <source>Site whose curves are drawn</source>
        <translation>要繪製曲線的院所</translation>
    </message>
    <message>
        <source>all sites</source>
        <translation>所有院所</translation>
    </message>
    <message>
        <source>Loss on validation images</source>
        <translation>驗證影像的損失</translation>
    </message>
    <message>
        <source>{}, training</source>
        <translation>{}，訓練</translation>
    </message>
    <message>
        <source>{}, validation</source>
        <translation>{}，驗證</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>訓練</translation>
    </message>
    <message>
        <source>Validation</source>
        <translation>驗證</translation>
    </message>
    <message>
        <source>All sites</source>
        <translation>所有院所</translation>
    </message>
    <message>
        <source>best</source>
        <translation>最佳</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>損失</translation>
    </message>
    <message>
        <source>{} on validation images</source>
        <translation>驗證影像的{}</translation>
    </message>
    <message>
        <source>Round</source>
        <translation>回合</translation>
    </message>
    <message>
        <source>{}: not scored yet</source>
        <translation>{}：尚未評分</translation>
    </message>
</context>
<context>
    <name>RunPage</name>
    <message>
        <source>Nothing has been trained yet. Choose above what to train, then start it; or begin with the demo.</source>
        <translation>還沒有訓練過。請在上方選擇要訓練什麼，然後開始；或先試試示範。</translation>
    </message>
    <message>
        <source>&amp;Try the demo</source>
        <translation>試試示範(&amp;T)</translation>
    </message>
    <message>
        <source>No plan is open, and nothing has been trained yet. A plan says on which images which model is trained.</source>
        <translation>尚未開啟計畫，也還沒有訓練過。計畫說明用哪些影像訓練哪個模型。</translation>
    </message>
    <message>
        <source>&amp;Choose a plan on the page Start</source>
        <translation>到「開始」頁選擇計畫(&amp;C)</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>執行</translation>
    </message>
    <message>
        <source>Train, watch and steer. Training goes on when this window is closed, and is here again when it is opened.</source>
        <translation>訓練、監看與控制。關閉視窗後訓練仍會繼續，再次開啟時仍在這裡。</translation>
    </message>
    <message>
        <source>Jobs</source>
        <translation>工作</translation>
    </message>
    <message>
        <source>Take out of &amp;list</source>
        <translation>從清單移除(&amp;L)</translation>
    </message>
    <message>
        <source>Its results stay on disk.</source>
        <translation>結果會保留在磁碟上。</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>執行中</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暫停</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>停止中</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失敗</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>{}, {} of {} rounds</source>
        <translation>{}，{}／{} 回合</translation>
    </message>
</context>
<context>
    <name>SecurityPage</name>
    <message>
        <source>No run is open. Open a finished one to see what protects it, what that cost, and what attacks on it show.</source>
        <translation>尚未開啟執行。開啟已完成的執行，即可了解有哪些保護、代價為何，以及攻擊測試的結果。</translation>
    </message>
    <message>
        <source>&amp;Choose a run</source>
        <translation>選擇執行(&amp;C)</translation>
    </message>
    <message>
        <source>Security</source>
        <translation>安全</translation>
    </message>
    <message>
        <source>What protects the patients in this run, what that cost, and what attacks on it showed.</source>
        <translation>這次執行以什麼保護病人、代價為何，以及攻擊測試的結果。</translation>
    </message>
    <message>
        <source>Audit of {}</source>
        <translation>{} 的稽核</translation>
    </message>
</context>
<context>
    <name>SegmentationTab</name>
    <message>
        <source>&amp;Patient</source>
        <translation>病人(&amp;P)</translation>
    </message>
    <message>
        <source>Patient whose segmentation is shown</source>
        <translation>要顯示分割結果的病人</translation>
    </message>
    <message>
        <source>Only &amp;differences: missed, added, another class</source>
        <translation>只看差異：漏標、多標、類別不同(&amp;D)</translation>
    </message>
    <message>
        <source>Segmentation</source>
        <translation>分割</translation>
    </message>
    <message>
        <source>Every test patient</source>
        <translation>每位測試病人</translation>
    </message>
    <message>
        <source>truth</source>
        <translation>真實</translation>
    </message>
    <message>
        <source>differences</source>
        <translation>差異</translation>
    </message>
    <message>
        <source>missed</source>
        <translation>漏標</translation>
    </message>
    <message>
        <source>added</source>
        <translation>多標</translation>
    </message>
    <message>
        <source>another class</source>
        <translation>類別不同</translation>
    </message>
    <message>
        <source>model</source>
        <translation>模型</translation>
    </message>
</context>
<context>
    <name>SettingRow</name>
    <message>
        <source>{}.</source>
        <translation>{}。</translation>
    </message>
</context>
<context>
    <name>Shares</name>
    <message numerus="yes">
        <source>and %n more</source>
        <translation>
            <numerusform>以及其他 %n 項</numerusform>
        </translation>
    </message>
    <message>
        <source>Probabilities</source>
        <translation>機率</translation>
    </message>
</context>
<context>
    <name>SitesPage</name>
    <message>
        <source>No plan is open. A plan says which images are used and how hospitals share them.</source>
        <translation>尚未開啟計畫。計畫說明使用哪些影像，以及如何分配給各醫院。</translation>
    </message>
    <message>
        <source>&amp;Choose a plan on the page Start</source>
        <translation>到「開始」頁選擇計畫(&amp;C)</translation>
    </message>
    <message>
        <source>Sites</source>
        <translation>院所</translation>
    </message>
    <message>
        <source>Who holds which images. No patient is at two sites, and a site is tested on the kind of patients it trains on.</source>
        <translation>哪個院所持有哪些影像。同一位病人不會出現在兩個院所，而院所以其訓練時同類的病人測試。</translation>
    </message>
    <message>
        <source>Every site holds every class, and enough test images.</source>
        <translation>每個院所都有所有類別，測試影像也足夠。</translation>
    </message>
    <message>
        <source>Images of each site</source>
        <translation>各院所的影像</translation>
    </message>
    <message>
        <source>Sites whose images are shown</source>
        <translation>要顯示影像的院所</translation>
    </message>
    <message>
        <source>Training &amp;images of</source>
        <translation>訓練影像來自(&amp;I)</translation>
    </message>
    <message>
        <source>Images are read… the first time this takes a while.</source>
        <translation>正在讀取影像…第一次需要一些時間。</translation>
    </message>
    <message>
        <source>Reading the images was cancelled. Any change, or coming back to this page, begins it again.</source>
        <translation>已取消讀取影像。變更任何設定或回到此頁，會重新開始。</translation>
    </message>
    <message>
        <source>Nothing can be dealt out. The message above says why.</source>
        <translation>無法分配影像。原因請見上方訊息。</translation>
    </message>
    <message numerus="yes">
        <source>%n site(s)</source>
        <translation>
            <numerusform>%n 個院所</numerusform>
        </translation>
    </message>
    <message>
        <source>{}, labels {} ({:.2f} of 1)</source>
        <translation>{}，標籤分布{}（{:.2f}，最大為 1）</translation>
    </message>
    <message>
        <source>How far a site&apos;s mix of labels is from that of all sites, on average: 0 is equal, 1 is disjoint. Half the sum of the differences of the shares, of training images.</source>
        <translation>各院所的標籤組成與全體相差多少（平均值）：0 表示相同，1 表示毫無交集。計算方式為訓練影像中各類別比例差異總和的一半。</translation>
    </message>
    <message>
        <source>Training images</source>
        <translation>訓練影像</translation>
    </message>
    <message>
        <source>all sites</source>
        <translation>所有院所</translation>
    </message>
    <message>
        <source>the first {} sites</source>
        <translation>前 {} 個院所</translation>
    </message>
</context>
<context>
    <name>SliceViewer</name>
    <message>
        <source>Image viewer</source>
        <translation>影像檢視器</translation>
    </message>
    <message>
        <source>Slice</source>
        <translation>切面</translation>
    </message>
    <message>
        <source>Level</source>
        <translation>窗位</translation>
    </message>
    <message>
        <source>Window</source>
        <translation>窗寬</translation>
    </message>
    <message>
        <source>Opacity of masks</source>
        <translation>遮罩不透明度</translation>
    </message>
    <message>
        <source>Modality</source>
        <translation>影像序列</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>重設</translation>
    </message>
    <message>
        <source>Window and level as they were. Dragging on the image changes them.</source>
        <translation>還原窗寬與窗位。在影像上拖曳可調整。</translation>
    </message>
    <message>
        <source>Opacity</source>
        <translation>不透明度</translation>
    </message>
    <message>
        <source>Channel {number}</source>
        <translation>通道 {number}</translation>
    </message>
    <message>
        <source>{mask} (outline)</source>
        <translation>{mask}（輪廓）</translation>
    </message>
    <message>
        <source>{mask} (filled)</source>
        <translation>{mask}（填滿）</translation>
    </message>
    <message>
        <source>Slice {number} of {depth}</source>
        <translation>切面 {number}／{depth}</translation>
    </message>
</context>
<context>
    <name>SplitTab</name>
    <message>
        <source>As published</source>
        <translation>公開資料</translation>
    </message>
    <message>
        <source>Images of this plan&apos;s split</source>
        <translation>此計畫切分後的影像</translation>
    </message>
    <message>
        <source>Patients of this plan&apos;s split</source>
        <translation>此計畫切分後的病人</translation>
    </message>
    <message>
        <source>How this plan splits the images is known once they are checked.</source>
        <translation>檢查影像之後，才會知道此計畫如何切分。</translation>
    </message>
</context>
<context>
    <name>StartBar</name>
    <message>
        <source>&amp;Start training</source>
        <translation>開始訓練(&amp;S)</translation>
    </message>
    <message>
        <source>Compare: together, pooled, each site alone</source>
        <translation>比較：共同、集中、各院所單獨</translation>
    </message>
    <message>
        <source>Sites together (federated)</source>
        <translation>各院所共同訓練（聯邦）</translation>
    </message>
    <message>
        <source>All images in one place (pooled)</source>
        <translation>所有影像集中一處（集中）</translation>
    </message>
    <message>
        <source>One site alone (local)</source>
        <translation>單一院所（單院）</translation>
    </message>
    <message>
        <source>What to train</source>
        <translation>訓練什麼</translation>
    </message>
    <message>
        <source>Site that trains alone</source>
        <translation>單獨訓練的院所</translation>
    </message>
    <message>
        <source>Repetitions, each with a seed of its own</source>
        <translation>重複次數，每次使用不同的亂數種子</translation>
    </message>
    <message>
        <source>&amp;Train</source>
        <translation>訓練(&amp;T)</translation>
    </message>
    <message>
        <source>See&amp;ds</source>
        <translation>亂數種子數(&amp;D)</translation>
    </message>
    <message>
        <source>Plan {}</source>
        <translation>計畫 {}</translation>
    </message>
    <message>
        <source>The plan has a problem</source>
        <translation>計畫有問題</translation>
    </message>
</context>
<context>
    <name>StartPage</name>
    <message>
        <source>Recent runs</source>
        <translation>最近的執行</translation>
    </message>
    <message>
        <source>New study</source>
        <translation>新研究</translation>
    </message>
    <message>
        <source>Plans of five systems, ready to run on your own images; without a folder they use phantoms.</source>
        <translation>五個系統的計畫，可直接用於您自己的影像；未指定資料夾時使用合成假影像（phantom）。</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>開始</translation>
    </message>
    <message>
        <source>Hospitals train one model together while every image stays where it was taken. Begin with the demo, a plan, or an earlier run.</source>
        <translation>各醫院共同訓練一個模型，而每張影像都留在原處。可從示範、計畫或先前的執行開始。</translation>
    </message>
    <message>
        <source>What was dropped is no plan. A plan is a file that ends in .toml; images are chosen on the page Data.</source>
        <translation>拖放的不是計畫。計畫是副檔名為 .toml 的檔案；影像請在「資料」頁選擇。</translation>
    </message>
    <message>
        <source>&amp;Try the demo</source>
        <translation>試試示範(&amp;T)</translation>
    </message>
    <message>
        <source>With a &amp;folder of images…</source>
        <translation>使用影像資料夾(&amp;F)…</translation>
    </message>
    <message>
        <source>Three hospitals, each without some kinds of brain tumour, learn together and alone, and the results are compared: about a minute. It uses phantoms, synthetic images that are drawn by a program, unless you choose a folder of the brain tumour set.</source>
        <translation>三家醫院各缺少某些腦瘤類型，分別共同與單獨學習，再比較結果：約一分鐘。除非您選擇腦瘤資料集的資料夾，否則使用程式繪製的合成假影像（phantom）。</translation>
    </message>
    <message>
        <source>&amp;Open a plan…</source>
        <translation>開啟計畫(&amp;O)…</translation>
    </message>
    <message>
        <source>Open a &amp;run…</source>
        <translation>開啟執行(&amp;R)…</translation>
    </message>
    <message>
        <source>A plan is a file that says everything about a study: images, hospitals, model, training. Open one, or drop it anywhere on this page. A run is the folder of results that a plan leads to.</source>
        <translation>計畫是說明整個研究的檔案：影像、醫院、模型、訓練。請開啟計畫，或拖放到此頁任何地方。執行則是計畫產生的結果資料夾。</translation>
    </message>
    <message>
        <source>Plans and runs are kept in {}</source>
        <translation>計畫與執行儲存於 {}</translation>
    </message>
    <message>
        <source>Looking…</source>
        <translation>查詢中…</translation>
    </message>
    <message>
        <source>&amp;Look at it</source>
        <translation>檢視(&amp;L)</translation>
    </message>
    <message>
        <source>R&amp;esume</source>
        <translation>繼續(&amp;E)</translation>
    </message>
    <message>
        <source>Begin</source>
        <translation>開始</translation>
    </message>
    <message>
        <source>Begin: {}</source>
        <translation>開始：{}</translation>
    </message>
    <message>
        <source>Wants a folder with {}</source>
        <translation>需要的資料夾內容：{}</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>本機</translation>
    </message>
    <message>
        <source>is looked at…</source>
        <translation>檢查中…</translation>
    </message>
    <message>
        <source>Which number format trains fastest here? This takes some seconds of all cores.</source>
        <translation>哪種數值格式在本機訓練最快？測試會使用所有核心數秒。</translation>
    </message>
    <message>
        <source>Ti&amp;me a training step</source>
        <translation>測量訓練步驟(&amp;M)</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>版本</translation>
    </message>
    <message>
        <source>The folder that holds Training and Testing</source>
        <translation>包含 Training 與 Testing 的資料夾</translation>
    </message>
    <message>
        <source>Open a plan</source>
        <translation>開啟計畫</translation>
    </message>
    <message>
        <source>Plans (*.toml)</source>
        <translation>計畫 (*.toml)</translation>
    </message>
    <message>
        <source>Open a run or comparison</source>
        <translation>開啟執行或比較</translation>
    </message>
    <message>
        <source>There are none yet. The demo above makes one in about a minute, and each study makes its own.</source>
        <translation>目前還沒有。上方的示範約一分鐘就能產生一個，每個研究也會產生自己的執行。</translation>
    </message>
    <message>
        <source>This file is not text ({}). A plan is a TOML file in UTF-8.</source>
        <translation>此檔案不是文字檔（{}）。計畫是 UTF-8 編碼的 TOML 檔。</translation>
    </message>
</context>
<context>
    <name>Timeline</name>
    <message>
        <source>Rounds</source>
        <translation>回合</translation>
    </message>
    <message>
        <source>{} of {} rounds done</source>
        <translation>已完成 {}／{} 回合</translation>
    </message>
    <message>
        <source>best so far: round {}</source>
        <translation>目前最佳：第 {} 回合</translation>
    </message>
    <message>
        <source>a site failed in: {}</source>
        <translation>有院所失敗的回合：{}</translation>
    </message>
    <message>
        <source>Round {}</source>
        <translation>第 {} 回合</translation>
    </message>
</context>
<context>
    <name>TrainingTab</name>
    <message>
        <source>Thick: all hospitals together. Thin: each hospital. The round that was best on validation images was kept; test images had no part in it.</source>
        <translation>粗線：所有醫院合計。細線：各醫院。採用驗證影像上表現最佳的回合；測試影像完全不參與。</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>訓練</translation>
    </message>
    <message>
        <source>Loss (lower is better)</source>
        <translation>損失（越低越好）</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>損失</translation>
    </message>
    <message>
        <source>score</source>
        <translation>分數</translation>
    </message>
    <message>
        <source>round</source>
        <translation>回合</translation>
    </message>
    <message>
        <source>kept</source>
        <translation>採用</translation>
    </message>
</context>
<context>
    <name>_Apart</name>
    <message>
        <source>Who stood apart</source>
        <translation>誰與眾不同</translation>
    </message>
    <message>
        <source>No hospital&apos;s change was compared with the others&apos;: the mean takes whatever comes. To have them compared, set aggregation.rule on the page Plan, e.g. to &quot;median&quot;; secure aggregation hides what there is to compare.</source>
        <translation>各醫院的更新未互相比較：平均法照單全收。若要比較，請在「計畫」頁設定 aggregation.rule，例如 &quot;median&quot;；安全聚合則會隱藏可供比較的內容。</translation>
    </message>
    <message>
        <source>Distance by hospital</source>
        <translation>各醫院的距離</translation>
    </message>
    <message>
        <source>Distance from what was accepted, by round, of those that stood most apart</source>
        <translation>各回合與採納結果的距離（最與眾不同者）</translation>
    </message>
    <message>
        <source>Distance from what was accepted, by round</source>
        <translation>各回合與採納結果的距離</translation>
    </message>
    <message>
        <source>round</source>
        <translation>回合</translation>
    </message>
    <message>
        <source>1 is the middle hospital</source>
        <translation>1 為居中的醫院</translation>
    </message>
</context>
<context>
    <name>_Audit</name>
    <message>
        <source>What attacks on this run showed</source>
        <translation>攻擊這次執行的結果</translation>
    </message>
    <message>
        <source>Run &amp;quick audit</source>
        <translation>快速稽核(&amp;Q)</translation>
    </message>
    <message>
        <source>Attacks this run on this machine, as a job of its own</source>
        <translation>在本機攻擊這次執行，作為獨立工作</translation>
    </message>
    <message>
        <source>This run has not been attacked yet. An audit tries to draw its images from what was sent, to tell who was in training, to tell which hospital sent what, and to poison the model; each attack must first succeed on a planted victim.</source>
        <translation>這次執行尚未接受攻擊測試。稽核會嘗試從傳輸內容還原影像、判斷誰參與了訓練、判斷哪家醫院送出了什麼，以及毒化模型；每種攻擊都必須先在預設的受害對象上成功。</translation>
    </message>
    <message>
        <source>Expect minutes: ten for 4,010 chest X-rays of 48 x 48 pixels at five hospitals on 2 cores, longer for larger images and models. It trains on the run&apos;s own images, which must still be where they were.</source>
        <translation>需要數分鐘：五家醫院 4,010 張 48 x 48 像素的胸部 X 光，在 2 核心上約十分鐘；影像與模型越大越久。稽核會用這次執行的影像訓練，影像必須仍在原處。</translation>
    </message>
    <message>
        <source>What each attack showed</source>
        <translation>各攻擊的結果</translation>
    </message>
    <message>
        <source>The audit is at work. It can be watched and stopped on the page Run.</source>
        <translation>稽核進行中。可在「執行」頁監看與停止。</translation>
    </message>
    <message>
        <source>The last audit ended without a result: {}</source>
        <translation>上次稽核沒有結果就結束了：{}</translation>
    </message>
</context>
<context>
    <name>_CommandBar</name>
    <message>
        <source>The same as a command</source>
        <translation>相同動作的指令</translation>
    </message>
    <message>
        <source>Cop&amp;y</source>
        <translation>複製(&amp;Y)</translation>
    </message>
    <message>
        <source>As a command</source>
        <translation>指令形式</translation>
    </message>
    <message>
        <source>Plan saved as {}</source>
        <translation>計畫已儲存為 {}</translation>
    </message>
</context>
<context>
    <name>_Finding</name>
    <message>
        <source>Verdict: {}.</source>
        <translation>結論：{}。</translation>
    </message>
    <message>
        <source>Planted victim</source>
        <translation>預設的受害對象</translation>
    </message>
    <message>
        <source>This run</source>
        <translation>這次執行</translation>
    </message>
    <message>
        <source>What was true, and what {} drew of it</source>
        <translation>真實內容，以及「{}」還原的結果</translation>
    </message>
</context>
<context>
    <name>_Found</name>
    <message>
        <source>Runs and their letters</source>
        <translation>執行與其代號</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>結果</translation>
    </message>
    <message>
        <source>Paired difference</source>
        <translation>配對差異</translation>
    </message>
    <message>
        <source>Differences of the plans</source>
        <translation>計畫的差異</translation>
    </message>
    <message>
        <source>Patient by patient</source>
        <translation>逐一病人比較</translation>
    </message>
    <message>
        <source>What they reached</source>
        <translation>成績</translation>
    </message>
    <message>
        <source>In what their plans differ</source>
        <translation>計畫的差異</translation>
    </message>
    <message>
        <source>How they learnt</source>
        <translation>學習過程</translation>
    </message>
    <message>
        <source>Drawing the patients again, for intervals…</source>
        <translation>重新抽樣病人以計算區間…</translation>
    </message>
    <message>
        <source>round</source>
        <translation>回合</translation>
    </message>
</context>
<context>
    <name>_Privacy</name>
    <message>
        <source>What privacy was spent</source>
        <translation>已花費的隱私預算</translation>
    </message>
    <message>
        <source>This run had no privacy budget: its model may remember images. To train with one, set privacy.unit on the page Plan, to hide each image, each patient or each hospital.</source>
        <translation>這次執行沒有隱私預算：模型可能記住影像。若要使用，請在「計畫」頁設定 privacy.unit，以隱藏每張影像、每位病人或每家醫院。</translation>
    </message>
    <message>
        <source>Open the page &amp;Plan</source>
        <translation>開啟「計畫」頁(&amp;P)</translation>
    </message>
    <message>
        <source>Epsilon by hospital</source>
        <translation>各醫院的 epsilon</translation>
    </message>
    <message>
        <source>What that means:</source>
        <translation>這代表：</translation>
    </message>
    <message>
        <source>What it does not cover:</source>
        <translation>不包含：</translation>
    </message>
    <message>
        <source>Epsilon by round, of the hospitals that spent most</source>
        <translation>各回合的 epsilon（花費最多的醫院）</translation>
    </message>
    <message>
        <source>Epsilon by round</source>
        <translation>各回合的 epsilon</translation>
    </message>
    <message>
        <source>round</source>
        <translation>回合</translation>
    </message>
    <message>
        <source>epsilon</source>
        <translation>epsilon</translation>
    </message>
    <message>
        <source>budget</source>
        <translation>預算</translation>
    </message>
</context>
<context>
    <name>_Unfinished</name>
    <message>
        <source>There are no results yet</source>
        <translation>還沒有結果</translation>
    </message>
    <message>
        <source>It goes on from its last checkpoint: press Resume on the Run page, or use the command below.</source>
        <translation>可從最後的檢查點繼續：在「執行」頁按「繼續」，或使用下方的指令。</translation>
    </message>
    <message>
        <source>Go to the &amp;Run page</source>
        <translation>前往「執行」頁(&amp;R)</translation>
    </message>
    <message>
        <source>These runs of it have finished:</source>
        <translation>其中已完成的執行：</translation>
    </message>
    <message>
        <source>Show {}</source>
        <translation>顯示 {}</translation>
    </message>
</context>
<context>
    <name>_Working</name>
    <message>
        <source>&amp;Cancel</source>
        <translation>取消(&amp;C)</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>進度</translation>
    </message>
    <message>
        <source>Working</source>
        <translation>處理中</translation>
    </message>
</context>
</TS>
