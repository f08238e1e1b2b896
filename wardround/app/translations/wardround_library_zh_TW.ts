<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_TW" sourcelanguage="en">
    <context>
        <name>library</name>
        <message>
            <source>0.1 million parameters; volumes only</source>
            <translation>10 萬個參數；僅適用於立體影像</translation>
        </message>
        <message>
            <source>0.3 million parameters</source>
            <translation>30 萬個參數</translation>
        </message>
        <message>
            <source>0.4 million parameters; sides must halve depth - 1 times</source>
            <translation>40 萬個參數；邊長須能對半除 depth - 1 次</translation>
        </message>
        <message>
            <source>0.5 million parameters; sides must halve depth - 1 times</source>
            <translation>50 萬個參數；邊長須能對半除 depth - 1 次</translation>
        </message>
        <message>
            <source>1 % of the bytes up with top_share=0.01; a model at each site</source>
            <translation>top_share=0.01 時上傳量為 1 %；各院所需保存一個模型</translation>
        </message>
        <message>
            <source>11.2 million parameters</source>
            <translation>1,120 萬個參數</translation>
        </message>
        <message>
            <source>21.3 million parameters</source>
            <translation>2,130 萬個參數</translation>
        </message>
        <message>
            <source>23.5 million parameters</source>
            <translation>2,350 萬個參數</translation>
        </message>
        <message>
            <source>3.4 million parameters</source>
            <translation>340 萬個參數</translation>
        </message>
        <message>
            <source>7.0 million parameters; images of 32 px and more</source>
            <translation>700 萬個參數；影像至少 32 px</translation>
        </message>
        <message>
            <source>95 % interval</source>
            <translation>95 % 區間</translation>
        </message>
        <message>
            <source>A against B</source>
            <translation>A 對 B</translation>
        </message>
        <message>
            <source>A group is one patient, or images that are nearly the same. No group lies on two sides of the split: every run checks this before it trains.</source>
            <translation>一個群組是一位病人，或幾乎相同的影像。任何群組都不會跨越切分的兩邊：每次執行在訓練前都會檢查。</translation>
        </message>
        <message>
            <source>A heat map shows where the score of one class reacts to the image, in fields as coarse as a late layer of the network and scaled to the map's own maximum: neither what was seen there, nor why. It looks as convincing for wrong answers as for right ones and can mark places that hardly count, so it is no evidence for a finding. Method: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391); what such maps fail to show: Adebayo et al. 2018, arXiv:1810.03292.</source>
            <translation>熱圖顯示某一類別的分數對影像的哪些位置有反應，解析度只有網路後段某一層那麼粗，並以該圖自身的最大值縮放：它不說明那裡看到了什麼，也不說明原因。判讀錯誤時熱圖看起來一樣有說服力，也可能標出幾乎不重要的位置，因此不能作為徵象的證據。方法：Grad-CAM（Selvaraju et al. 2017, arXiv:1610.02391）；此類圖的限制：Adebayo et al. 2018, arXiv:1810.03292。</translation>
        </message>
        <message>
            <source>A line that crosses the dashed one shows no difference.</source>
            <translation>線段若跨過虛線，表示看不出差異。</translation>
        </message>
        <message>
            <source>A mask says nothing about how sure the model is.</source>
            <translation>遮罩並未說明模型有多確定。</translation>
        </message>
        <message>
            <source>A round</source>
            <translation>每回合</translation>
        </message>
        <message>
            <source>A site receives</source>
            <translation>每院所接收</translation>
        </message>
        <message>
            <source>A site sends</source>
            <translation>每院所傳送</translation>
        </message>
        <message>
            <source>AUROC of each finding (in brackets: test images with it)</source>
            <translation>各徵象的 AUROC（括號內：具有該徵象的測試影像數）</translation>
        </message>
        <message>
            <source>Accuracy</source>
            <translation>準確率</translation>
        </message>
        <message>
            <source>Aggregation</source>
            <translation>聚合</translation>
        </message>
        <message>
            <source>All</source>
            <translation>全部</translation>
        </message>
        <message>
            <source>All images</source>
            <translation>所有影像</translation>
        </message>
        <message>
            <source>All sites see the same mix of patients, and equally many: the best case, which shows what training apart costs by itself.</source>
            <translation>所有院所的病人組成相同、數量也相同：最理想的情況，可看出分散訓練本身的代價。</translation>
        </message>
        <message>
            <source>An attack that failed is no proof of safety: only what was tried was tried. A verdict stands on a planted victim without any defence, which the same program must break first.</source>
            <translation>攻擊失敗並不證明安全：只測試了嘗試過的攻擊。每個結論都以一個毫無防禦的預設受害對象為基準，同一程式必須先攻破它。</translation>
        </message>
        <message>
            <source>Answering</source>
            <translation>判讀中</translation>
        </message>
        <message>
            <source>Answers</source>
            <translation>輸出</translation>
        </message>
        <message>
            <source>Area under the curve; in square brackets the 95 % interval, where one was estimated.</source>
            <translation>曲線下面積；方括號內為 95 % 區間（若有估計）。</translation>
        </message>
        <message>
            <source>As the hospitals' programs told it.</source>
            <translation>由各醫院的程式回報。</translation>
        </message>
        <message>
            <source>Attack</source>
            <translation>攻擊</translation>
        </message>
        <message>
            <source>Attacking</source>
            <translation>攻擊測試中</translation>
        </message>
        <message>
            <source>Augmentation</source>
            <translation>資料擴增</translation>
        </message>
        <message>
            <source>Average</source>
            <translation>平均</translation>
        </message>
        <message>
            <source>Balanced accuracy</source>
            <translation>平衡準確率</translation>
        </message>
        <message>
            <source>Batch size</source>
            <translation>批次大小</translation>
        </message>
        <message>
            <source>Both models on the same patients. A ratio of 1 and a difference of 0 mean equal results.</source>
            <translation>兩個模型以相同病人測試。比值為 1、差異為 0 表示結果相同。</translation>
        </message>
        <message>
            <source>BraTS20_Training_001/ ...</source>
            <translation>BraTS20_Training_001/ ...</translation>
        </message>
        <message>
            <source>Brain tumours on MRI, four clinics, from pretrained weights</source>
            <translation>MRI 腦瘤，四家診所，從預訓練權重開始</translation>
        </message>
        <message>
            <source>Brain tumours on MRI: each hospital lacks two of the three tumour types</source>
            <translation>MRI 腦瘤：每家醫院都缺少三種腫瘤中的兩種</translation>
        </message>
        <message>
            <source>Brier score</source>
            <translation>Brier 分數</translation>
        </message>
        <message>
            <source>Budget</source>
            <translation>預算</translation>
        </message>
        <message>
            <source>By Rényi</source>
            <translation>Rényi 法</translation>
        </message>
        <message>
            <source>Calibrated: no. A probability of 0.9 need not be right nine times in ten.</source>
            <translation>未經校準。機率 0.9 不代表十次中有九次正確。</translation>
        </message>
        <message>
            <source>Calibration error (ECE)</source>
            <translation>校準誤差（ECE）</translation>
        </message>
        <message>
            <source>Can whoever has the model tell that a certain image or patient was among those it was trained on?</source>
            <translation>持有模型的人，能否判斷某張影像或某位病人曾用於訓練？</translation>
        </message>
        <message>
            <source>Can whoever sees the updates without names tell which hospital has sent one?</source>
            <translation>看得到匿名更新的人，能否判斷是哪家醫院送出的？</translation>
        </message>
        <message>
            <source>Cannot be drawn: predictions.csv is absent.</source>
            <translation>無法繪製：缺少 predictions.csv。</translation>
        </message>
        <message>
            <source>Caution</source>
            <translation>注意</translation>
        </message>
        <message>
            <source>Class</source>
            <translation>類別</translation>
        </message>
        <message>
            <source>Class weights</source>
            <translation>類別權重</translation>
        </message>
        <message>
            <source>Classes</source>
            <translation>類別</translation>
        </message>
        <message>
            <source>Clean test split</source>
            <translation>無洩漏的測試集</translation>
        </message>
        <message>
            <source>Clip norm</source>
            <translation>裁剪範數</translation>
        </message>
        <message>
            <source>Combined by</source>
            <translation>合併方式</translation>
        </message>
        <message>
            <source>Commands</source>
            <translation>指令</translation>
        </message>
        <message>
            <source>Comparing images</source>
            <translation>比對影像</translation>
        </message>
        <message>
            <source>Copies that were resized, recompressed or cropped, or neighbouring slices. They leak as identical ones do.</source>
            <translation>經縮放、重新壓縮或裁切的副本，或相鄰的切面。它們與完全相同的影像一樣會造成洩漏。</translation>
        </message>
        <message>
            <source>Could a server that keeps what it gets draw images of patients from what a hospital sends?</source>
            <translation>留存所收內容的伺服器，能否從醫院送出的資料還原病人影像？</translation>
        </message>
        <message>
            <source>Could some sites spoil the model by calling their images by other names?</source>
            <translation>部分院所能否藉由更改影像標籤來破壞模型？</translation>
        </message>
        <message>
            <source>Could some sites stop the others from learning by sending the opposite of what they have learnt?</source>
            <translation>部分院所能否送出與所學相反的更新，使其他院所無法學習？</translation>
        </message>
        <message>
            <source>Could some sites teach the model to answer as they like wherever a small patch is in the image?</source>
            <translation>部分院所能否讓模型在影像含有某個小圖塊時，依其意願作答？</translation>
        </message>
        <message>
            <source>Data set</source>
            <translation>資料集</translation>
        </message>
        <message>
            <source>Data_Entry_2017.csv and images/</source>
            <translation>Data_Entry_2017.csv 與 images/</translation>
        </message>
        <message>
            <source>Decoded images</source>
            <translation>解碼後影像</translation>
        </message>
        <message>
            <source>Decoding images</source>
            <translation>解碼影像</translation>
        </message>
        <message>
            <source>Device</source>
            <translation>裝置</translation>
        </message>
        <message>
            <source>Dice</source>
            <translation>Dice</translation>
        </message>
        <message>
            <source>Difference</source>
            <translation>差異</translation>
        </message>
        <message>
            <source>Differential privacy</source>
            <translation>差分隱私</translation>
        </message>
        <message>
            <source>Downloading (MB)</source>
            <translation>下載中 (MB)</translation>
        </message>
        <message>
            <source>Drawing phantoms</source>
            <translation>繪製合成假影像</translation>
        </message>
        <message>
            <source>Each finding has a probability of its own: they need not sum to 1.</source>
            <translation>每個徵象各有自己的機率：總和不必為 1。</translation>
        </message>
        <message>
            <source>Each hospital has its own list of the images that were not used, with the reasons, and looked for leaks between its own splits. These lists stayed there.</source>
            <translation>每家醫院都有自己未使用影像的清單與原因，並各自檢查切分之間的洩漏。這些清單都留在該醫院。</translation>
        </message>
        <message>
            <source>Each hospital's images lie in a folder of their own, named like the site: a network rehearsed on one machine.</source>
            <translation>每家醫院的影像各放在以院所命名的資料夾：在一台電腦上預演網路環境。</translation>
        </message>
        <message>
            <source>Each row holds about the same number of cases.</source>
            <translation>每列的個案數大致相同。</translation>
        </message>
        <message>
            <source>Each site holds only so many pieces of the images sorted by class: a hard case by which algorithms are compared.</source>
            <translation>影像依類別排序後切成數份，每個院所只持有其中幾份：用來比較演算法的困難情境。</translation>
        </message>
        <message>
            <source>Each test patient, the worst first. The numbers are ranks: they do not tell who it is.</source>
            <translation>所有測試病人，最差的在前。編號為名次：無法得知病人身分。</translation>
        </message>
        <message>
            <source>Ensemble</source>
            <translation>集成</translation>
        </message>
        <message>
            <source>Epsilon</source>
            <translation>Epsilon</translation>
        </message>
        <message>
            <source>Epsilon by privacy loss distributions; second opinion by PRV, or the closed form where all are drawn; by Rényi: a looser bound, to compare with older papers. Noise: its standard deviation by the clip norm. Steps count those of rounds that were repeated.</source>
            <translation>Epsilon 以隱私損失分布計算；覆核採 PRV，全數抽取時採封閉解；Rényi 法：較寬鬆的上界，供與較早的論文比較。雜訊：標準差除以裁剪範數。步數包含重做的回合。</translation>
        </message>
        <message>
            <source>Evaluate every</source>
            <translation>評估間隔</translation>
        </message>
        <message>
            <source>Every site holds the common classes; each other class is seen at one site only. Can all learn what one has seen?</source>
            <translation>每個院所都有共有的類別；其他類別各只出現在一個院所。一個院所看過的，大家都能學會嗎？</translation>
        </message>
        <message>
            <source>Federated</source>
            <translation>聯邦</translation>
        </message>
        <message>
            <source>Finding</source>
            <translation>徵象</translation>
        </message>
        <message>
            <source>First weights</source>
            <translation>初始權重</translation>
        </message>
        <message>
            <source>Five hospitals find pneumonia on chest X-rays of children (Kermany et al. 2018).</source>
            <translation>五家醫院在兒童胸部 X 光上偵測肺炎（Kermany et al. 2018）。</translation>
        </message>
        <message>
            <source>Five hospitals look for fourteen findings on chest X-rays (NIH ChestX-ray14, Wang et al. 2017). Of a ResNet-34 only the last stage and the classifier are trained and exchanged: 62 % of its weights.</source>
            <translation>五家醫院在胸部 X 光上尋找十四種徵象（NIH ChestX-ray14, Wang et al. 2017）。ResNet-34 只訓練並交換最後一段與分類器：佔權重的 62 %。</translation>
        </message>
        <message>
            <source>Five hospitals segment gliomas on four MRI sequences: oedema, enhancing tumour and necrotic core, in 3-D (BraTS 2020).</source>
            <translation>五家醫院在四種 MRI 序列上分割神經膠質瘤：水腫、顯影腫瘤與壞死核心，3-D（BraTS 2020）。</translation>
        </message>
        <message>
            <source>Five hospitals, 28-pixel chest X-rays (MedMNIST v2): a whole comparison in minutes on a laptop.</source>
            <translation>五家醫院，28 像素的胸部 X 光（MedMNIST v2）：在筆電上數分鐘即可完成整個比較。</translation>
        </message>
        <message>
            <source>Flip</source>
            <translation>翻轉</translation>
        </message>
        <message>
            <source>Four clinics with the same four classes of brain MRI; training begins when all four are there, and every round waits for all. They start from a network that has learnt on everyday photographs.</source>
            <translation>四家診所有相同的四類腦部 MRI；四家都就緒才開始訓練，每回合都等待所有診所。從以日常照片訓練過的網路開始。</translation>
        </message>
        <message>
            <source>Fourteen findings on chest X-rays, five hospitals that share part of the network</source>
            <translation>胸部 X 光的十四種徵象，五家醫院共用部分網路</translation>
        </message>
        <message>
            <source>Further columns</source>
            <translation>其他欄位</translation>
        </message>
        <message>
            <source>Glioma on four MRI sequences in 3-D, five hospitals</source>
            <translation>四種 MRI 序列的 3-D 神經膠質瘤，五家醫院</translation>
        </message>
        <message>
            <source>Gradient bound</source>
            <translation>梯度上限</translation>
        </message>
        <message>
            <source>Gradient inversion</source>
            <translation>梯度反演</translation>
        </message>
        <message>
            <source>Greatest</source>
            <translation>最大值</translation>
        </message>
        <message>
            <source>Group</source>
            <translation>群組</translation>
        </message>
        <message>
            <source>Groups</source>
            <translation>群組</translation>
        </message>
        <message>
            <source>HD95 (mm)</source>
            <translation>HD95 (mm)</translation>
        </message>
        <message>
            <source>HD95 (pixels)</source>
            <translation>HD95（像素）</translation>
        </message>
        <message>
            <source>Heat maps</source>
            <translation>熱圖</translation>
        </message>
        <message>
            <source>Hospital</source>
            <translation>醫院</translation>
        </message>
        <message>
            <source>Hospital by hospital</source>
            <translation>各醫院</translation>
        </message>
        <message>
            <source>Hospital inference</source>
            <translation>醫院推論</translation>
        </message>
        <message>
            <source>How good</source>
            <translation>成效</translation>
        </message>
        <message>
            <source>How sure</source>
            <translation>可靠程度</translation>
        </message>
        <message>
            <source>How training went</source>
            <translation>訓練過程</translation>
        </message>
        <message>
            <source>Identical pixels</source>
            <translation>像素完全相同</translation>
        </message>
        <message>
            <source>If so many have the finding</source>
            <translation>若有這麼多人有此徵象</translation>
        </message>
        <message>
            <source>Image</source>
            <translation>影像</translation>
        </message>
        <message>
            <source>Image of training</source>
            <translation>訓練影像</translation>
        </message>
        <message>
            <source>Images</source>
            <translation>影像</translation>
        </message>
        <message>
            <source>Images a patient</source>
            <translation>每位病人影像數</translation>
        </message>
        <message>
            <source>Images of each class in the published split. Nothing has been decoded yet.</source>
            <translation>公開切分中各類別的影像數。尚未解碼任何影像。</translation>
        </message>
        <message>
            <source>Images of each class, as a run of this plan splits them. Unreadable ones are not counted.</source>
            <translation>依此計畫執行時的切分，各類別的影像數。不計無法讀取者。</translation>
        </message>
        <message>
            <source>Images of each split, then training images of each class.</source>
            <translation>各切分的影像數，其後為各類別的訓練影像數。</translation>
        </message>
        <message>
            <source>Images of each split, then training images of each class. Groups are images that are nearly the same; patients are not known.</source>
            <translation>各切分的影像數，其後為各類別的訓練影像數。群組為幾乎相同的影像；病人身分未知。</translation>
        </message>
        <message>
            <source>Images of each split.</source>
            <translation>各切分的影像數。</translation>
        </message>
        <message>
            <source>Images of each split. Groups are images that are nearly the same; patients are not known.</source>
            <translation>各切分的影像數。群組為幾乎相同的影像；病人身分未知。</translation>
        </message>
        <message>
            <source>Images that look alike are grouped instead. A table with a column 'patient' is the safer way.</source>
            <translation>改以外觀相近的影像分組。使用含有 'patient' 欄位的表格較為安全。</translation>
        </message>
        <message>
            <source>In brackets the 95 % interval and the number of cases; after "from" what counts as a success of the attack.</source>
            <translation>括號內為 95 % 區間與個案數；「from」之後為視為攻擊成功的門檻。</translation>
        </message>
        <message>
            <source>In group</source>
            <translation>同群組張數</translation>
        </message>
        <message>
            <source>In round</source>
            <translation>所在回合</translation>
        </message>
        <message>
            <source>In square brackets: each run's own 95 % interval. That two of them overlap does not show that runs are equal; the paired difference tells.</source>
            <translation>方括號內：各執行自己的 95 % 區間。區間重疊並不表示執行結果相同；要看配對差異。</translation>
        </message>
        <message>
            <source>In the published split. A chain of near copies counts as any of these.</source>
            <translation>在公開切分中。一連串的近似副本計入「以上任一」。</translation>
        </message>
        <message>
            <source>Intensity</source>
            <translation>亮度與對比</translation>
        </message>
        <message>
            <source>Intervals</source>
            <translation>計算區間</translation>
        </message>
        <message>
            <source>Keep the momentum</source>
            <translation>保留動量</translation>
        </message>
        <message>
            <source>Kept in one group: they never lie on two sides of the split, nor at two sites.</source>
            <translation>歸為同一群組：絕不會跨越切分的兩邊，也不會出現在兩個院所。</translation>
        </message>
        <message>
            <source>Key of the plan</source>
            <translation>計畫的設定鍵</translation>
        </message>
        <message>
            <source>Kind</source>
            <translation>種類</translation>
        </message>
        <message>
            <source>L2 bound of a step's gradient</source>
            <translation>每步梯度的 L2 上限</translation>
        </message>
        <message>
            <source>L2 bound: of a unit's gradient in a step, or of a site's change in a round</source>
            <translation>L2 上限：每步中單一保護單位的梯度，或每回合中院所的更新</translation>
        </message>
        <message>
            <source>Label</source>
            <translation>標籤</translation>
        </message>
        <message>
            <source>Label skew</source>
            <translation>標籤偏斜</translation>
        </message>
        <message>
            <source>Label smoothing</source>
            <translation>標籤平滑</translation>
        </message>
        <message>
            <source>Largest site</source>
            <translation>最大院所</translation>
        </message>
        <message>
            <source>Leak gate</source>
            <translation>洩漏檢查</translation>
        </message>
        <message>
            <source>Leaks of the published split</source>
            <translation>公開切分的洩漏</translation>
        </message>
        <message>
            <source>Learning rate</source>
            <translation>學習率</translation>
        </message>
        <message>
            <source>Least sites</source>
            <translation>最少院所數</translation>
        </message>
        <message>
            <source>Left out</source>
            <translation>排除</translation>
        </message>
        <message>
            <source>Left out because</source>
            <translation>排除原因</translation>
        </message>
        <message>
            <source>Licence</source>
            <translation>授權</translation>
        </message>
        <message>
            <source>Limits</source>
            <translation>限制</translation>
        </message>
        <message>
            <source>Local</source>
            <translation>單院</translation>
        </message>
        <message>
            <source>Local epochs</source>
            <translation>本地週期數</translation>
        </message>
        <message>
            <source>Local steps</source>
            <translation>本地步數</translation>
        </message>
        <message>
            <source>Loss</source>
            <translation>損失</translation>
        </message>
        <message>
            <source>Loss on training images</source>
            <translation>訓練影像的損失</translation>
        </message>
        <message>
            <source>Loss on validation images</source>
            <translation>驗證影像的損失</translation>
        </message>
        <message>
            <source>Lower-grade glioma on MRI slices, the hospitals as they were</source>
            <translation>MRI 切面的低惡性度神經膠質瘤，依實際醫院</translation>
        </message>
        <message>
            <source>Made</source>
            <translation>建立時間</translation>
        </message>
        <message>
            <source>Malicious sites</source>
            <translation>惡意院所數</translation>
        </message>
        <message>
            <source>Mean AUPRC</source>
            <translation>平均 AUPRC</translation>
        </message>
        <message>
            <source>Mean AUROC</source>
            <translation>平均 AUROC</translation>
        </message>
        <message>
            <source>Mean Dice</source>
            <translation>平均 Dice</translation>
        </message>
        <message>
            <source>Mean HD95</source>
            <translation>平均 HD95</translation>
        </message>
        <message>
            <source>Mean HD95 (mm)</source>
            <translation>平均 HD95 (mm)</translation>
        </message>
        <message>
            <source>Mean HD95 (pixels)</source>
            <translation>平均 HD95（像素）</translation>
        </message>
        <message>
            <source>Mean distance</source>
            <translation>平均距離</translation>
        </message>
        <message>
            <source>Mean recall</source>
            <translation>平均召回率</translation>
        </message>
        <message>
            <source>Mean volume error</source>
            <translation>平均體積誤差</translation>
        </message>
        <message>
            <source>Mean volume error (ml)</source>
            <translation>平均體積誤差 (ml)</translation>
        </message>
        <message>
            <source>Membership inference</source>
            <translation>成員推論</translation>
        </message>
        <message>
            <source>Memory</source>
            <translation>記憶體</translation>
        </message>
        <message>
            <source>Metric</source>
            <translation>指標</translation>
        </message>
        <message>
            <source>Mixup</source>
            <translation>Mixup</translation>
        </message>
        <message>
            <source>Model</source>
            <translation>模型</translation>
        </message>
        <message>
            <source>Momentum</source>
            <translation>動量</translation>
        </message>
        <message>
            <source>Name</source>
            <translation>名稱</translation>
        </message>
        <message>
            <source>Nearly the same picture</source>
            <translation>幾乎相同的影像</translation>
        </message>
        <message>
            <source>Network</source>
            <translation>網路</translation>
        </message>
        <message>
            <source>No result on a published test split with leaks is reported: there was no such leak, or no such split.</source>
            <translation>沒有含洩漏之公開測試集的結果：沒有這類洩漏，或沒有這類切分。</translation>
        </message>
        <message>
            <source>No split</source>
            <translation>未切分</translation>
        </message>
        <message>
            <source>Noise</source>
            <translation>雜訊</translation>
        </message>
        <message>
            <source>Normalisation</source>
            <translation>正規化層</translation>
        </message>
        <message>
            <source>Not estimable: no test image has it, or all have it.</source>
            <translation>無法估計：沒有任何測試影像具有此項，或全部都有。</translation>
        </message>
        <message>
            <source>Not recorded: provenance.json and ledger.csv are absent.</source>
            <translation>沒有紀錄：缺少 provenance.json 與 ledger.csv。</translation>
        </message>
        <message>
            <source>Not recorded: provenance.json is absent.</source>
            <translation>沒有紀錄：缺少 provenance.json。</translation>
        </message>
        <message>
            <source>Nothing is changed. Look at them and correct the folder or the table.</source>
            <translation>不做任何更動。請檢視影像，並修正資料夾或表格。</translation>
        </message>
        <message>
            <source>Number</source>
            <translation>數量</translation>
        </message>
        <message>
            <source>Observed share</source>
            <translation>實際比例</translation>
        </message>
        <message>
            <source>Observed share of findings</source>
            <translation>徵象的實際比例</translation>
        </message>
        <message>
            <source>Of volumes only equal voxels are looked for.</source>
            <translation>立體影像只尋找體素完全相同者。</translation>
        </message>
        <message>
            <source>One picture, two labels</source>
            <translation>同一影像，兩種標籤</translation>
        </message>
        <message>
            <source>One step a round</source>
            <translation>每回合一步</translation>
        </message>
        <message>
            <source>Only the clean figures are results; the published ones are inflated by images that training has seen.</source>
            <translation>只有無洩漏的數字才是結果；公開切分的數字因含有訓練時看過的影像而偏高。</translation>
        </message>
        <message>
            <source>Only these attacks, this share of malicious sites and these rounds were tried. An attacker who knows the rule keeps closer, and one who controls more sites than the rule's limit wins.</source>
            <translation>只測試了這些攻擊、這個比例的惡意院所與這些回合。知道規則的攻擊者會更貼近其他院所，而控制的院所數超過規則上限者必定得逞。</translation>
        </message>
        <message>
            <source>Optimiser</source>
            <translation>最佳化器</translation>
        </message>
        <message>
            <source>Parameters</source>
            <translation>參數</translation>
        </message>
        <message>
            <source>Patience</source>
            <translation>耐心值</translation>
        </message>
        <message>
            <source>Patient</source>
            <translation>病人</translation>
        </message>
        <message>
            <source>Patients</source>
            <translation>病人</translation>
        </message>
        <message>
            <source>Patients are not known</source>
            <translation>病人身分未知</translation>
        </message>
        <message>
            <source>Phantoms</source>
            <translation>合成假影像</translation>
        </message>
        <message>
            <source>Plan</source>
            <translation>計畫</translation>
        </message>
        <message>
            <source>Planted victim</source>
            <translation>預設的受害對象</translation>
        </message>
        <message>
            <source>Pneumonia on 28-pixel chest X-rays, five hospitals</source>
            <translation>28 像素胸部 X 光的肺炎，五家醫院</translation>
        </message>
        <message>
            <source>Pneumonia on chest X-rays of children, five hospitals</source>
            <translation>兒童胸部 X 光的肺炎，五家醫院</translation>
        </message>
        <message>
            <source>Point: result. Line: 95 % interval. Further right is better.</source>
            <translation>點：結果。線：95 % 區間。越靠右越好。</translation>
        </message>
        <message>
            <source>Pooled</source>
            <translation>集中</translation>
        </message>
        <message>
            <source>Privacy</source>
            <translation>隱私</translation>
        </message>
        <message>
            <source>Published split</source>
            <translation>公開的切分</translation>
        </message>
        <message>
            <source>Published test or validation image</source>
            <translation>公開的測試或驗證影像</translation>
        </message>
        <message>
            <source>Published test or validation images of which training has the patient or a copy. Scores on them are partly memory.</source>
            <translation>公開的測試或驗證影像，其病人或副本也在訓練集中。這些影像的分數有一部分只是記憶。</translation>
        </message>
        <message>
            <source>Published test split</source>
            <translation>公開的測試集</translation>
        </message>
        <message>
            <source>Ratio</source>
            <translation>比值</translation>
        </message>
        <message>
            <source>Reads</source>
            <translation>讀取</translation>
        </message>
        <message>
            <source>Reason</source>
            <translation>原因</translation>
        </message>
        <message>
            <source>Recall</source>
            <translation>召回率</translation>
        </message>
        <message>
            <source>Recipe</source>
            <translation>訓練設定</translation>
        </message>
        <message>
            <source>Region</source>
            <translation>區域</translation>
        </message>
        <message>
            <source>Report</source>
            <translation>報告</translation>
        </message>
        <message>
            <source>Result</source>
            <translation>結果</translation>
        </message>
        <message>
            <source>Results say nothing about patients. Choose a folder of real images.</source>
            <translation>結果與病人無關。請選擇真實影像的資料夾。</translation>
        </message>
        <message>
            <source>Rotate</source>
            <translation>旋轉</translation>
        </message>
        <message>
            <source>Round kept</source>
            <translation>採用的回合</translation>
        </message>
        <message>
            <source>Rounds</source>
            <translation>回合數</translation>
        </message>
        <message>
            <source>Rows: the truth; each row adds up to 100 %. Right answers lie on the diagonal.</source>
            <translation>列：真實類別；每列總和為 100 %。對角線為判定正確者。</translation>
        </message>
        <message>
            <source>Rows: where a model was tested, the hospital worst served first.</source>
            <translation>列：模型測試所在的醫院，成績最差者在前。</translation>
        </message>
        <message>
            <source>Rule</source>
            <translation>規則</translation>
        </message>
        <message>
            <source>Run</source>
            <translation>執行</translation>
        </message>
        <message>
            <source>Run A against run B, on the same test patients. A ratio of 1 and a difference of 0 mean equal results; better and worse are said of A.</source>
            <translation>執行 A 對執行 B，測試病人相同。比值為 1、差異為 0 表示結果相同；「較好」與「較差」是指 A。</translation>
        </message>
        <message>
            <source>Scale</source>
            <translation>縮放</translation>
        </message>
        <message>
            <source>Schedule</source>
            <translation>學習率排程</translation>
        </message>
        <message>
            <source>Second opinion</source>
            <translation>覆核</translation>
        </message>
        <message>
            <source>Secure aggregation</source>
            <translation>安全聚合</translation>
        </message>
        <message>
            <source>Sensitivity</source>
            <translation>敏感度</translation>
        </message>
        <message>
            <source>Several images of one patient may lie on both sides of the split without looking alike.</source>
            <translation>同一病人的多張影像可能外觀不同，卻分屬切分的兩邊。</translation>
        </message>
        <message>
            <source>Share</source>
            <translation>比例</translation>
        </message>
        <message>
            <source>Share drawn</source>
            <translation>抽取比例</translation>
        </message>
        <message>
            <source>Share named correctly</source>
            <translation>判定正確的比例</translation>
        </message>
        <message>
            <source>Share of sites</source>
            <translation>參與院所比例</translation>
        </message>
        <message>
            <source>Share sent</source>
            <translation>傳送比例</translation>
        </message>
        <message>
            <source>Shift</source>
            <translation>平移</translation>
        </message>
        <message>
            <source>Simulated attack</source>
            <translation>模擬攻擊</translation>
        </message>
        <message>
            <source>Site</source>
            <translation>院所</translation>
        </message>
        <message>
            <source>Sites count</source>
            <translation>院所計權</translation>
        </message>
        <message>
            <source>Sites see different mixes of patients. Alpha says how different: 0.1 is near one class a site, 100 near equal.</source>
            <translation>各院所的病人組成不同。Alpha 表示差異程度：0.1 近似每院所一個類別，100 近似相同。</translation>
        </message>
        <message>
            <source>Small and large hospitals with the same mix of patients. Alpha says how unequal: 0.1 is one large site, 100 near equal.</source>
            <translation>醫院有大有小，病人組成相同。Alpha 表示不均程度：0.1 為一個大院所，100 近似均等。</translation>
        </message>
        <message>
            <source>Specificity</source>
            <translation>特異度</translation>
        </message>
        <message>
            <source>Split</source>
            <translation>切分</translation>
        </message>
        <message>
            <source>State</source>
            <translation>狀態</translation>
        </message>
        <message>
            <source>Stated probability</source>
            <translation>模型給出的機率</translation>
        </message>
        <message>
            <source>Status</source>
            <translation>狀態</translation>
        </message>
        <message>
            <source>Steps</source>
            <translation>步數</translation>
        </message>
        <message>
            <source>Strategy</source>
            <translation>聯邦演算法</translation>
        </message>
        <message>
            <source>Task</source>
            <translation>任務</translation>
        </message>
        <message>
            <source>Test</source>
            <translation>測試</translation>
        </message>
        <message>
            <source>Test and validation images that training has seen would make every result look better than it is.</source>
            <translation>訓練時看過的測試與驗證影像，會讓所有結果看起來比實際更好。</translation>
        </message>
        <message>
            <source>Test images</source>
            <translation>測試影像</translation>
        </message>
        <message>
            <source>Test, leaking</source>
            <translation>測試（洩漏）</translation>
        </message>
        <message>
            <source>Tested</source>
            <translation>測試</translation>
        </message>
        <message>
            <source>Tested on</source>
            <translation>測試對象</translation>
        </message>
        <message>
            <source>That these attacks fail does not show that none succeeds: they know the labels, but not what such images look like in general, and they look at one round of the sites with the fewest images. A server that sends another network than was agreed can read far more; against that helps only that a site approves what it trains. The planted victims hold images of this run at 32 x 32 pixels. Where images are alike, the mean image, which is no patient's, comes near to each: see its columns. A secure sum hides whose image is drawn; for the rest it helps by the number of images in it.</source>
            <translation>這些攻擊失敗，並不表示沒有攻擊會成功：它們知道標籤，但不知道這類影像一般的樣貌，而且只看影像最少的院所的一個回合。若伺服器送出與約定不同的網路，可讀出的內容多得多；唯一的對策是院所核准自己要訓練的內容。預設的受害對象持有這次執行的影像，尺寸為 32 x 32 像素。若影像彼此相似，不屬於任何病人的平均影像會與每張都接近：見其所在欄。安全加總會隱藏還原的是誰的影像；其餘的保護則取決於加總的影像數。</translation>
        </message>
        <message>
            <source>That these attacks find few members does not prove that none can be found: better attacks, more shadows, every round's model or a site's own update may show more, and single unusual patients more than the average. Shadows train on half of the images, which makes them easier to attack than the run. This is a measured risk, no proof that the model is anonymous.</source>
            <translation>這些攻擊只找出少數成員，並不證明找不到：更好的攻擊、更多影子模型、每回合的模型或院所自己的更新都可能透露更多，個別特殊病人的風險也高於平均。影子模型只用一半的影像訓練，因此比這次執行更容易攻擊。這是量測到的風險，並非模型匿名的證明。</translation>
        </message>
        <message>
            <source>The attacker knew updates of every hospital from earlier rounds, and all of them began with the same model. With updates of other origin, e.g. of similar public images, or by other features, fewer or more may be told.</source>
            <translation>攻擊者知道每家醫院先前回合的更新，且所有醫院都從同一模型開始。若使用其他來源的更新（例如相似的公開影像）或其他特徵，能判斷的可能更少或更多。</translation>
        </message>
        <message>
            <source>The data tell where each image comes from: the hospitals, or scanners, as they were.</source>
            <translation>資料註明每張影像的來源：依實際的醫院或掃描儀。</translation>
        </message>
        <message>
            <source>The hospitals of TCGA find lower-grade glioma on MRI slices: 2-D segmentation, each hospital as it really was (Buda et al. 2019).</source>
            <translation>TCGA 的各醫院在 MRI 切面上尋找低惡性度神經膠質瘤：2-D 分割，依各醫院實際情況（Buda et al. 2019）。</translation>
        </message>
        <message>
            <source>The images</source>
            <translation>影像</translation>
        </message>
        <message>
            <source>The images that were named wrongly stayed at the hospitals.</source>
            <translation>誤判的影像都留在各醫院。</translation>
        </message>
        <message>
            <source>The images were drawn by a program.</source>
            <translation>這些影像由程式繪製。</translation>
        </message>
        <message>
            <source>The learning curves cannot be drawn: the journal of rounds is absent or empty.</source>
            <translation>無法繪製學習曲線：回合紀錄不存在或為空。</translation>
        </message>
        <message>
            <source>The model named no test image wrongly.</source>
            <translation>模型沒有誤判任何測試影像。</translation>
        </message>
        <message>
            <source>The plans are the same in every key that results depend on.</source>
            <translation>凡會影響結果的設定鍵，各計畫都相同。</translation>
        </message>
        <message>
            <source>The run has no results by hospital.</source>
            <translation>此執行沒有各醫院的結果。</translation>
        </message>
        <message>
            <source>The run kept no gallery of its worst errors (figures/errors.npz is absent).</source>
            <translation>此執行沒有保留最嚴重錯誤的圖庫（缺少 figures/errors.npz）。</translation>
        </message>
        <message>
            <source>The run kept no segmentations to show (figures/overlays.npz is absent).</source>
            <translation>此執行沒有保留可顯示的分割結果（缺少 figures/overlays.npz）。</translation>
        </message>
        <message>
            <source>The same mix of patients, but each site has a scanner of its own: contrast, shading, blur and noise are simulated.</source>
            <translation>病人組成相同，但每個院所有自己的掃描儀：模擬對比、陰影、模糊與雜訊。</translation>
        </message>
        <message>
            <source>The same picture under several names. Divided between training and test, a model is tested on what it has learnt.</source>
            <translation>同一影像有多個檔名。若分到訓練與測試兩邊，模型就是以學過的內容受測。</translation>
        </message>
        <message>
            <source>The same pixels occur under different labels: at least one of the labels is wrong.</source>
            <translation>相同的像素出現在不同標籤下：至少有一個標籤是錯的。</translation>
        </message>
        <message>
            <source>The segmentations stayed at the hospitals.</source>
            <translation>分割結果都留在各醫院。</translation>
        </message>
        <message>
            <source>The whole plan</source>
            <translation>完整計畫</translation>
        </message>
        <message>
            <source>These are images of patients, and what could be drawn of them. They stay at the hospital.</source>
            <translation>這些是病人的影像，以及可能從中還原的內容。請留在醫院內。</translation>
        </message>
        <message>
            <source>These are images of the data set. Pass the page on only to people who may see them.</source>
            <translation>這些是資料集的影像。此頁只能交給有權檢視的人。</translation>
        </message>
        <message>
            <source>These are images of the data set. Show them only to people who may see them.</source>
            <translation>這些是資料集的影像。只能給有權檢視的人看。</translation>
        </message>
        <message>
            <source>These images are PHANTOMS, drawn by a program: the numbers say nothing about patients.</source>
            <translation>這些影像是程式繪製的合成假影像（PHANTOM）：這些數字與病人無關。</translation>
        </message>
        <message>
            <source>These rounds went on without the hospital.</source>
            <translation>這些回合在沒有該醫院的情況下進行。</translation>
        </message>
        <message>
            <source>They cannot teach anything, and one that is missing more often at one site or of one class makes the rest unlike the patients.</source>
            <translation>這些影像無法用於學習；若集中在某一院所或某一類別缺少，剩下的影像就不再能代表病人。</translation>
        </message>
        <message>
            <source>They have</source>
            <translation>共同點</translation>
        </message>
        <message>
            <source>This number does not cover:</source>
            <translation>此數字不包含：</translation>
        </message>
        <message>
            <source>This run</source>
            <translation>這次執行</translation>
        </message>
        <message>
            <source>Threads</source>
            <translation>執行緒</translation>
        </message>
        <message>
            <source>Three hospitals, each of which has seen only one type of brain tumour. Can they learn all three together?</source>
            <translation>三家醫院，各只看過一種腦瘤。它們能一起學會三種嗎？</translation>
        </message>
        <message>
            <source>To repeat this</source>
            <translation>重現方式</translation>
        </message>
        <message>
            <source>Trained</source>
            <translation>訓練方式</translation>
        </message>
        <message>
            <source>Training</source>
            <translation>訓練</translation>
        </message>
        <message>
            <source>Training also has</source>
            <translation>訓練集中也有</translation>
        </message>
        <message>
            <source>Training images teach the model, validation images choose the round kept, test images are read once.</source>
            <translation>訓練影像用來訓練模型，驗證影像用來選擇採用的回合，測試影像只讀取一次。</translation>
        </message>
        <message>
            <source>Training/ and Testing/ of the Kaggle set</source>
            <translation>Kaggle 資料集的 Training/ 與 Testing/</translation>
        </message>
        <message>
            <source>Trusted site</source>
            <translation>信任的院所</translation>
        </message>
        <message>
            <source>Truth</source>
            <translation>真實</translation>
        </message>
        <message>
            <source>Unpacking</source>
            <translation>解壓縮</translation>
        </message>
        <message>
            <source>Unreadable images</source>
            <translation>無法讀取的影像</translation>
        </message>
        <message>
            <source>Updates travel as</source>
            <translation>更新的傳輸格式</translation>
        </message>
        <message>
            <source>Validation</source>
            <translation>驗證</translation>
        </message>
        <message>
            <source>Validation images</source>
            <translation>驗證影像</translation>
        </message>
        <message>
            <source>Verdict</source>
            <translation>結論</translation>
        </message>
        <message>
            <source>Volume error</source>
            <translation>體積誤差</translation>
        </message>
        <message>
            <source>Volume error (ml)</source>
            <translation>體積誤差 (ml)</translation>
        </message>
        <message>
            <source>Warm-up</source>
            <translation>暖身</translation>
        </message>
        <message>
            <source>Weight decay</source>
            <translation>權重衰減</translation>
        </message>
        <message>
            <source>What attacks on this run showed</source>
            <translation>攻擊這次執行的結果</translation>
        </message>
        <message>
            <source>What is hidden</source>
            <translation>隱藏對象</translation>
        </message>
        <message>
            <source>What privacy was spent</source>
            <translation>已花費的隱私預算</translation>
        </message>
        <message>
            <source>What the words mean:</source>
            <translation>名詞解釋：</translation>
        </message>
        <message>
            <source>What was done</source>
            <translation>做了什麼</translation>
        </message>
        <message>
            <source>What was left out</source>
            <translation>排除了什麼</translation>
        </message>
        <message>
            <source>What was true and what was drawn, as named above the columns.</source>
            <translation>真實內容與還原結果，名稱見各欄上方。</translation>
        </message>
        <message>
            <source>When</source>
            <translation>時間</translation>
        </message>
        <message>
            <source>Where it errs</source>
            <translation>錯在哪裡</translation>
        </message>
        <message>
            <source>Where neither the truth nor the model marks a region, that counts as a success: Dice 1, HD95 0.</source>
            <translation>若真實與模型都未標記某區域，視為成功：Dice 1，HD95 0。</translation>
        </message>
        <message>
            <source>Where only one of them does, Dice is 0, and there is no distance to nothing: the patient is left out of the mean HD95, which is then too good. Read it beside Dice.</source>
            <translation>若只有其中一方標記，Dice 為 0，且無法計算距離：該病人不計入平均 HD95，因此平均值會偏好。請與 Dice 一起解讀。</translation>
        </message>
        <message>
            <source>Whose change stood apart from the others'. This is no verdict: a hospital whose patients, scanners or labels differ stands apart and does no harm, and one that means harm may keep close to the others. A large number is a reason to ask that hospital.</source>
            <translation>誰的更新與眾不同。這並非定論：病人、掃描儀或標籤不同的醫院會與眾不同卻無害，而有意破壞者也可能貼近其他醫院。數值大只是詢問該醫院的理由。</translation>
        </message>
        <message>
            <source>a global model and one for each hospital are both wanted; set pull</source>
            <translation>同時需要全域模型與各醫院專屬模型；請設定 pull</translation>
        </message>
        <message>
            <source>a kind of image that is not read</source>
            <translation>不支援的影像種類</translation>
        </message>
        <message>
            <source>a label for a whole volume: it reads the slices in their order</source>
            <translation>整個立體影像只有一個標籤：依序讀取各切面</translation>
        </message>
        <message>
            <source>a model at each site and at the server</source>
            <translation>各院所與伺服器各保存一個模型</translation>
        </message>
        <message>
            <source>a model at the server</source>
            <translation>伺服器保存一個模型</translation>
        </message>
        <message>
            <source>a model can still tell of single patients: wardround audit</source>
            <translation>模型仍可能洩漏個別病人：wardround audit</translation>
        </message>
        <message>
            <source>a negative call is right</source>
            <translation>陰性判定正確的機率</translation>
        </message>
        <message>
            <source>a patient with several images is hidden less</source>
            <translation>有多張影像的病人受到的保護較少</translation>
        </message>
        <message>
            <source>a positive call is right</source>
            <translation>陽性判定正確的機率</translation>
        </message>
        <message>
            <source>a published recipe asks for drops at set rounds</source>
            <translation>已發表的訓練設定要求在固定回合調降</translation>
        </message>
        <message>
            <source>a published study used it; else cross_entropy</source>
            <translation>已發表的研究採用它；否則用 cross_entropy</translation>
        </message>
        <message>
            <source>a quarter of the bytes up</source>
            <translation>上傳量為四分之一</translation>
        </message>
        <message>
            <source>a rare class hardly counts</source>
            <translation>罕見類別幾乎不計</translation>
        </message>
        <message>
            <source>a second gradient a batch; a model at each site</source>
            <translation>每批次多算一次梯度；各院所保存一個模型</translation>
        </message>
        <message>
            <source>a second training a round; a model at each site</source>
            <translation>每回合多訓練一次；各院所保存一個模型</translation>
        </message>
        <message>
            <source>a slow network: numbers are rounded to three digits</source>
            <translation>網路較慢：數值捨入至三位數</translation>
        </message>
        <message>
            <source>a slower one: unbiased rounding to eight bits</source>
            <translation>網路更慢：無偏捨入至八位元</translation>
        </message>
        <message>
            <source>a very slow network; what is left out is sent later</source>
            <translation>網路極慢；未傳送的部分之後再傳</translation>
        </message>
        <message>
            <source>accuracy</source>
            <translation>準確率</translation>
        </message>
        <message>
            <source>all hospitals</source>
            <translation>所有醫院</translation>
        </message>
        <message>
            <source>all sites</source>
            <translation>所有院所</translation>
        </message>
        <message>
            <source>any of these</source>
            <translation>以上任一</translation>
        </message>
        <message>
            <source>are pixel for pixel in training</source>
            <translation>與訓練影像像素完全相同</translation>
        </message>
        <message>
            <source>area under the precision-recall curve; guessing gives the share of images with the finding</source>
            <translation>精確率–召回率曲線下面積；隨機猜測等於具有該徵象的影像比例</translation>
        </message>
        <message>
            <source>as adam, with weight decay that acts the same on all numbers</source>
            <translation>同 adam，但權重衰減對所有數值作用一致</translation>
        </message>
        <message>
            <source>as fedadam, for runs whose steps should shrink by themselves</source>
            <translation>同 fedadam，適用於步幅應自行縮小的執行</translation>
        </message>
        <message>
            <source>as fedadam, where rounds are noisy: its step sizes grow more slowly</source>
            <translation>同 fedadam，適用於回合雜訊大的情況：步幅成長較慢</translation>
        </message>
        <message>
            <source>as fedper, with heads that fit the shared body before it moves</source>
            <translation>同 fedper，但先讓頭部配合共用主幹，再更新主幹</translation>
        </message>
        <message>
            <source>as many rounds as sites for one pass; the others wait</source>
            <translation>走完一輪需要與院所數相同的回合；其他院所等待</translation>
        </message>
        <message>
            <source>as median, with less lost where fewer are feared</source>
            <translation>同 median，擔心的惡意院所較少時損失也較少</translation>
        </message>
        <message>
            <source>as nnm-trimmed, plainer; sites see alike patients</source>
            <translation>同 nnm-trimmed 但較簡單；各院所病人相近</translation>
        </message>
        <message>
            <source>as resnet18, with more images and a GPU</source>
            <translation>同 resnet18，適用於影像較多且有 GPU</translation>
        </message>
        <message>
            <source>as scaffold, with long rounds and no bytes to spare; set alpha</source>
            <translation>同 scaffold，適用於回合長且傳輸量吃緊；請設定 alpha</translation>
        </message>
        <message>
            <source>as swa, where the number of rounds is not known before</source>
            <translation>同 swa，適用於事先不知道回合數</translation>
        </message>
        <message>
            <source>audit.json does not hold what an audit writes. Was it changed? Repeat it: wardround audit RUN</source>
            <translation>audit.json 的內容不是稽核所寫。是否被更動過？請重做：wardround audit RUN</translation>
        </message>
        <message>
            <source>audit.json does not hold what an audit writes. Was it changed? Run the audit again.</source>
            <translation>audit.json 的內容不是稽核所寫。是否被更動過？請重新稽核。</translation>
        </message>
        <message>
            <source>backdoors pass</source>
            <translation>擋不住後門攻擊</translation>
        </message>
        <message>
            <source>balanced accuracy</source>
            <translation>平衡準確率</translation>
        </message>
        <message>
            <source>better</source>
            <translation>較好</translation>
        </message>
        <message>
            <source>brightness and contrast, uniform in plus or minus this</source>
            <translation>亮度與對比，在正負此值間均勻變化</translation>
        </message>
        <message>
            <source>budget of the whole run, resumed rounds included; a site stops before it is passed</source>
            <translation>整次執行的預算，包含繼續後的回合；院所會在超過前停止</translation>
        </message>
        <message>
            <source>bytes do not matter, or updates are masked</source>
            <translation>不在意傳輸量，或更新已加遮罩</translation>
        </message>
        <message>
            <source>cache folder</source>
            <translation>快取資料夾</translation>
        </message>
        <message>
            <source>calibration error (ECE)</source>
            <translation>校準誤差（ECE）</translation>
        </message>
        <message>
            <source>cannot be read</source>
            <translation>無法讀取</translation>
        </message>
        <message>
            <source>chance that an image with the finding is scored above one without it; 0.5 is guessing, 1 is perfect</source>
            <translation>有徵象的影像分數高於無徵象影像的機率；0.5 為隨機猜測，1 為完美</translation>
        </message>
        <message>
            <source>chest X-rays with several findings: what CheXNet used</source>
            <translation>有多種徵象的胸部 X 光：CheXNet 所用</translation>
        </message>
        <message>
            <source>classes are about equally frequent, or only the order of cases matters (AUROC)</source>
            <translation>各類別數量相近，或只在意個案的排序（AUROC）</translation>
        </message>
        <message>
            <source>classes are equally frequent</source>
            <translation>各類別數量相同</translation>
        </message>
        <message>
            <source>cores</source>
            <translation>核心數</translation>
        </message>
        <message>
            <source>cut short or damaged</source>
            <translation>檔案不完整或損壞</translation>
        </message>
        <message>
            <source>degrees, uniform in plus or minus this</source>
            <translation>角度，在正負此值間均勻變化</translation>
        </message>
        <message>
            <source>different</source>
            <translation>不同</translation>
        </message>
        <message>
            <source>downloaded once, or from wardround[pretrained]</source>
            <translation>下載一次，或來自 wardround[pretrained]</translation>
        </message>
        <message>
            <source>draws all numbers towards 0; 5e-4 is usual for pictures</source>
            <translation>將所有數值拉向 0；影像常用 5e-4</translation>
        </message>
        <message>
            <source>each hospital trains on its own images alone; the mean of the hospitals is shown</source>
            <translation>各醫院只用自己的影像訓練；顯示各醫院的平均</translation>
        </message>
        <message>
            <source>each patient has one image</source>
            <translation>每位病人只有一張影像</translation>
        </message>
        <message>
            <source>each site's influence shall be limited, with no number of attackers in mind</source>
            <translation>限制每個院所的影響力，不預設攻擊者人數</translation>
        </message>
        <message>
            <source>eleven numbers of each site, once</source>
            <translation>每院所一次性提供十一個數值</translation>
        </message>
        <message>
            <source>evaluations without a better one before the run stops; none: never early</source>
            <translation>連續幾次評估沒有進步就停止；無：不提早停止</translation>
        </message>
        <message>
            <source>every hospital shall count alike, or whole sites are hidden</source>
            <translation>每家醫院同等計權，或要隱藏整個院所</translation>
        </message>
        <message>
            <source>every site can be trusted</source>
            <translation>每個院所都可信任</translation>
        </message>
        <message>
            <source>f: how many of the sites that answer in a round may be malicious; required by all rules but mean, norm-bound and fltrust. Fewer sites than the rule needs are refused, and so is a cohort.min_sites below that number</source>
            <translation>f：每回合回應的院所中最多有幾個可能是惡意的；除 mean、norm-bound 與 fltrust 外，所有規則都必須設定。院所數少於規則所需會被拒絕，cohort.min_sites 低於該數也一樣</translation>
        </message>
        <message>
            <source>far updates are feared, of any direction</source>
            <translation>擔心任何方向的偏離更新</translation>
        </message>
        <message>
            <source>few images: its pretrained weights come as a package, nothing is downloaded</source>
            <translation>影像少：預訓練權重隨套件提供，無須下載</translation>
        </message>
        <message>
            <source>few images: the network has seen everyday photographs</source>
            <translation>影像少：網路已看過日常照片</translation>
        </message>
        <message>
            <source>fewer bytes: frozen layers are not sent</source>
            <translation>傳輸量較少：凍結層不傳送</translation>
        </message>
        <message>
            <source>fewer bytes: norm layers stay at their site</source>
            <translation>傳輸量較少：正規化層留在院所</translation>
        </message>
        <message>
            <source>fewer bytes: nothing is sent after that round; a model at each site</source>
            <translation>傳輸量較少：該回合後不再傳送；各院所保存一個模型</translation>
        </message>
        <message>
            <source>fewer bytes: the head stays at its site</source>
            <translation>傳輸量較少：頭部留在院所</translation>
        </message>
        <message>
            <source>fewer replies stop the run, which can be resumed; a study over a network waits until so many are back</source>
            <translation>回應少於此數時停止執行，之後可繼續；網路研究會等到足夠的院所回來</translation>
        </message>
        <message>
            <source>findings that are ranked or detected, at any threshold</source>
            <translation>需要排序或偵測的徵象，不限門檻</translation>
        </message>
        <message>
            <source>finished</source>
            <translation>已完成</translation>
        </message>
        <message>
            <source>first, and tuned as hard as whatever is to beat it</source>
            <translation>最先嘗試，並與要超越它的方法同樣用心調校</translation>
        </message>
        <message>
            <source>first, and wherever an answer is wanted in minutes on a CPU</source>
            <translation>最先嘗試，以及希望在 CPU 上數分鐘內得到答案時</translation>
        </message>
        <message>
            <source>first: the global model as it is</source>
            <translation>最先嘗試：直接使用全域模型</translation>
        </message>
        <message>
            <source>first: with momentum it generalises well and remembers little</source>
            <translation>最先嘗試：配合動量時泛化良好，且記住的內容少</translation>
        </message>
        <message>
            <source>forgets how bright an image is</source>
            <translation>會忽略影像的明暗</translation>
        </message>
        <message>
            <source>free disk there</source>
            <translation>該處可用磁碟空間</translation>
        </message>
        <message>
            <source>gradient inversion</source>
            <translation>梯度反演</translation>
        </message>
        <message>
            <source>half the bytes up</source>
            <translation>上傳量減半</translation>
        </message>
        <message>
            <source>half the steps for the same images; a few steps before each evaluation</source>
            <translation>相同影像只走一半步數；每次評估前需走幾步</translation>
        </message>
        <message>
            <source>harm hidden in few numbers; many sites</source>
            <translation>破壞藏在少數數值中；院所很多</translation>
        </message>
        <message>
            <source>have a near copy in training</source>
            <translation>在訓練集中有近似副本</translation>
        </message>
        <message>
            <source>hits and false alarms in one number: harmonic mean of sensitivity and precision, averaged if there are more than two classes</source>
            <translation>以單一數字表示命中與誤報：敏感度與精確率的調和平均，超過兩類時取平均</translation>
        </message>
        <message>
            <source>hospital inference</source>
            <translation>醫院推論</translation>
        </message>
        <message>
            <source>hospitals differ: it needs no statistics of other images, and goes with privacy</source>
            <translation>各醫院不同：不需要其他影像的統計量，可與隱私保護並用</translation>
        </message>
        <message>
            <source>hospitals label differently or see other mixtures of classes: a head each</source>
            <translation>各醫院標註方式或類別組成不同：各有自己的頭部</translation>
        </message>
        <message>
            <source>hospitals that join later shall adapt the model in a few steps</source>
            <translation>之後加入的醫院可用幾步調整模型</translation>
        </message>
        <message>
            <source>how far the two outlines lie apart, without the farthest 5 % of their points; 0 is perfect</source>
            <translation>兩條輪廓相距多遠，不計最遠的 5 % 點；0 為完美</translation>
        </message>
        <message>
            <source>how much the marked volume differs from the true one, up or down; 0 is perfect</source>
            <translation>標記體積與真實體積的差距（不分多寡）；0 為完美</translation>
        </message>
        <message>
            <source>images a step</source>
            <translation>每步影像數</translation>
        </message>
        <message>
            <source>images stay at their site, and that is enough</source>
            <translation>影像留在院所，這樣就夠了</translation>
        </message>
        <message>
            <source>instead of local_epochs: so many batches</source>
            <translation>取代 local_epochs：指定批次數</translation>
        </message>
        <message>
            <source>it has no mask</source>
            <translation>沒有遮罩</translation>
        </message>
        <message>
            <source>it is not known how much each hospital should trust the others</source>
            <translation>不確定各醫院應信任其他醫院多少</translation>
        </message>
        <message>
            <source>it must not be told whether a hospital took part; many sites</source>
            <translation>不得洩漏某醫院是否參與；院所很多</translation>
        </message>
        <message>
            <source>its files do not have as many channels as the plan says</source>
            <translation>檔案的通道數與計畫不符</translation>
        </message>
        <message>
            <source>its files, or image and mask, differ in shape</source>
            <translation>各檔案，或影像與遮罩的尺寸不一致</translation>
        </message>
        <message>
            <source>its mask has another size</source>
            <translation>遮罩尺寸不同</translation>
        </message>
        <message>
            <source>its mask holds numbers that mean nothing in this data set</source>
            <translation>遮罩含有此資料集未定義的數值</translation>
        </message>
        <message>
            <source>its name leads out of the data folder</source>
            <translation>檔名指向資料夾之外</translation>
        </message>
        <message>
            <source>its patient, or a near copy of it, is in training</source>
            <translation>其病人或近似副本在訓練集中</translation>
        </message>
        <message>
            <source>its rate must be tuned</source>
            <translation>學習率需要調校</translation>
        </message>
        <message>
            <source>kaggle_3m/TCGA_...</source>
            <translation>kaggle_3m/TCGA_...</translation>
        </message>
        <message>
            <source>label skew and long rounds, in networks whose features drift apart</source>
            <translation>標籤偏斜且回合長，網路特徵逐漸分歧</translation>
        </message>
        <message>
            <source>label skew of any kind, few rounds; with recipe.single_step</source>
            <translation>任何標籤偏斜，回合少；搭配 recipe.single_step</translation>
        </message>
        <message>
            <source>label skew, few sites that take part in every round, several local steps</source>
            <translation>標籤偏斜，院所少且每回合都參與，本地走多步</translation>
        </message>
        <message>
            <source>label skew: sites cannot drift, every round is one step on all their batches</source>
            <translation>標籤偏斜：院所不會偏移，每回合以所有批次走一步</translation>
        </message>
        <message>
            <source>label skew: sites cannot drift, every round is one step on all their batches; rounds are steps: with fedmuon or fedadam few do, with fedavg many more</source>
            <translation>標籤偏斜：院所不會偏移，每回合以所有批次走一步；一回合即一步：搭配 fedmuon 或 fedadam 只需少數回合，搭配 fedavg 則需多得多</translation>
        </message>
        <message>
            <source>large sets and a GPU, from pretrained weights</source>
            <translation>大型資料集且有 GPU，從預訓練權重開始</translation>
        </message>
        <message>
            <source>large sites decide</source>
            <translation>由大院所主導</translation>
        </message>
        <message>
            <source>layers whose changes differ in size, e.g. some barely move; set server_lr</source>
            <translation>各層變化幅度不同，例如有些幾乎不動；請設定 server_lr</translation>
        </message>
        <message>
            <source>learning rate before the schedule</source>
            <translation>套用排程前的學習率</translation>
        </message>
        <message>
            <source>ledger.csv in the run's folder has every image with its status and reason.</source>
            <translation>執行資料夾中的 ledger.csv 列出每張影像的狀態與原因。</translation>
        </message>
        <message>
            <source>left out</source>
            <translation>排除</translation>
        </message>
        <message>
            <source>left-right; only where anatomy allows: a mirrored chest has its heart on the wrong side</source>
            <translation>左右翻轉；僅在解剖上可行時使用：鏡像的胸部心臟會在錯誤的一側</translation>
        </message>
        <message>
            <source>long local rounds drift apart; set mu</source>
            <translation>本地訓練久而逐漸偏移；請設定 mu</translation>
        </message>
        <message>
            <source>loss</source>
            <translation>損失</translation>
        </message>
        <message>
            <source>malicious updates stand apart as a whole</source>
            <translation>惡意更新整體偏離</translation>
        </message>
        <message>
            <source>many rounds in which small harm could add up</source>
            <translation>回合多，微小破壞可能累積</translation>
        </message>
        <message>
            <source>many short rounds, label skew: momentum carries over what single rounds miss</source>
            <translation>回合多而短，標籤偏斜：動量可累積單一回合遺漏的部分</translation>
        </message>
        <message>
            <source>masks</source>
            <translation>遮罩</translation>
        </message>
        <message>
            <source>masks of something small in a large image: gates say where to look</source>
            <translation>大影像中的小目標遮罩：以閘門指出該看哪裡</translation>
        </message>
        <message>
            <source>masks of something small: overlap counts, not the number of pixels</source>
            <translation>小目標的遮罩：重視重疊程度而非像素數</translation>
        </message>
        <message>
            <source>masks, in 2-D and 3-D; the first to try</source>
            <translation>2-D 與 3-D 的遮罩；最先嘗試</translation>
        </message>
        <message>
            <source>mean AUPRC</source>
            <translation>平均 AUPRC</translation>
        </message>
        <message>
            <source>mean AUROC</source>
            <translation>平均 AUROC</translation>
        </message>
        <message>
            <source>mean Dice</source>
            <translation>平均 Dice</translation>
        </message>
        <message>
            <source>mean HD95</source>
            <translation>平均 HD95</translation>
        </message>
        <message>
            <source>mean gap between stated probability and observed share; 0 is perfect</source>
            <translation>給出機率與實際比例的平均差距；0 為完美</translation>
        </message>
        <message>
            <source>mean recall</source>
            <translation>平均召回率</translation>
        </message>
        <message>
            <source>mean squared error of the probabilities; 0 is perfect</source>
            <translation>機率的均方誤差；0 為完美</translation>
        </message>
        <message>
            <source>mean volume error</source>
            <translation>平均體積誤差</translation>
        </message>
        <message>
            <source>membership inference</source>
            <translation>成員推論</translation>
        </message>
        <message>
            <source>memory</source>
            <translation>記憶體</translation>
        </message>
        <message>
            <source>momentum stays at the site from round to round; needed when rounds are a few steps</source>
            <translation>動量跨回合保留在院所；回合只有幾步時需要</translation>
        </message>
        <message>
            <source>more pixels than any medical image, or a small file that would unpack to much</source>
            <translation>像素數超過任何醫學影像，或小檔案解壓後過大</translation>
        </message>
        <message>
            <source>more rounds</source>
            <translation>需要更多回合</translation>
        </message>
        <message>
            <source>much quality with few sites</source>
            <translation>院所少時品質大減</translation>
        </message>
        <message>
            <source>n &gt;= 2f + 1 sites</source>
            <translation>院所數 n &gt;= 2f + 1</translation>
        </message>
        <message>
            <source>n &gt;= 2f + 3 sites; leaves out what is rare</source>
            <translation>院所數 n &gt;= 2f + 3；會捨棄少見者</translation>
        </message>
        <message>
            <source>n &gt;= 2f + 3 sites; the slowest</source>
            <translation>院所數 n &gt;= 2f + 3；最慢</translation>
        </message>
        <message>
            <source>n &gt;= 4f + 3 sites</source>
            <translation>院所數 n &gt;= 4f + 3</translation>
        </message>
        <message>
            <source>nearly alike</source>
            <translation>幾乎相同</translation>
        </message>
        <message>
            <source>nearly the same picture</source>
            <translation>幾乎相同的影像</translation>
        </message>
        <message>
            <source>needs first weights</source>
            <translation>需要初始權重</translation>
        </message>
        <message>
            <source>networks that draw masks, and where no rate of sgd works; lr about 0.001</source>
            <translation>輸出遮罩的網路，以及 sgd 找不到合適學習率時；lr 約 0.001</translation>
        </message>
        <message>
            <source>no</source>
            <translation>否</translation>
        </message>
        <message>
            <source>no difference shown</source>
            <translation>看不出差異</translation>
        </message>
        <message>
            <source>no site gets it in this partition</source>
            <translation>此分配方式中沒有院所取得它</translation>
        </message>
        <message>
            <source>noisy where a site has few images</source>
            <translation>院所影像少時雜訊大</translation>
        </message>
        <message>
            <source>none</source>
            <translation>無</translation>
        </message>
        <message>
            <source>not an image, whatever its name</source>
            <translation>不論檔名為何，都不是影像</translation>
        </message>
        <message>
            <source>not estimable</source>
            <translation>無法估計</translation>
        </message>
        <message>
            <source>not known</source>
            <translation>未知</translation>
        </message>
        <message>
            <source>not known: images that are nearly the same are kept together instead</source>
            <translation>未知：改將幾乎相同的影像歸在一起</translation>
        </message>
        <message>
            <source>not set</source>
            <translation>未設定</translation>
        </message>
        <message>
            <source>not stated</source>
            <translation>未註明</translation>
        </message>
        <message>
            <source>not with privacy or secure sums; statistics travel too</source>
            <translation>不能與隱私保護或安全聚合並用；統計量也會傳送</translation>
        </message>
        <message>
            <source>nothing can be concluded: the attack was not tried for long enough, or failed on the planted victim too</source>
            <translation>無法下結論：攻擊嘗試時間不足，或對預設的受害對象也失敗</translation>
        </message>
        <message>
            <source>of sgd; the first beta of adam and adamw</source>
            <translation>用於 sgd；adam 與 adamw 的第一個 beta</translation>
        </message>
        <message>
            <source>off</source>
            <translation>關閉</translation>
        </message>
        <message>
            <source>off: the server saw each hospital's change</source>
            <translation>關閉：伺服器看得到各醫院的更新</translation>
        </message>
        <message>
            <source>on: the server saw only the sum of at least three hospitals' changes</source>
            <translation>開啟：伺服器只看到至少三家醫院更新的總和</translation>
        </message>
        <message>
            <source>one class an image, or masks</source>
            <translation>每張影像一個類別，或遮罩</translation>
        </message>
        <message>
            <source>one class an image: each class counts alike</source>
            <translation>每張影像一個類別：各類別同等計算</translation>
        </message>
        <message>
            <source>one model on all images in one place: the yardstick, which privacy rules often forbid</source>
            <translation>所有影像集中一處訓練一個模型：比較的基準，但常為隱私法規所不許</translation>
        </message>
        <message>
            <source>one of several classes</source>
            <translation>多類別擇一</translation>
        </message>
        <message>
            <source>one of two classes</source>
            <translation>兩類別擇一</translation>
        </message>
        <message>
            <source>one site that cannot be moves it wherever it likes</source>
            <translation>只要有一個不可信的院所，就能任意左右結果</translation>
        </message>
        <message>
            <source>one site's images are vouched for</source>
            <translation>某一院所的影像有保證</translation>
        </message>
        <message>
            <source>only one site can train at a time; forgets under label skew</source>
            <translation>一次只能有一個院所訓練；標籤偏斜時會遺忘</translation>
        </message>
        <message>
            <source>outlines (segmentation)</source>
            <translation>輪廓（分割）</translation>
        </message>
        <message>
            <source>overlap of what the model marks with the truth: 0 is none, 1 is the same outline</source>
            <translation>模型標記與真實的重疊程度：0 為無重疊，1 為輪廓相同</translation>
        </message>
        <message>
            <source>passes over the site's images in a round; 0.1 is a tenth of them</source>
            <translation>每回合走過院所影像的次數；0.1 為十分之一</translation>
        </message>
        <message>
            <source>patient: so many of a patient's images, drawn anew for each step, make its gradient</source>
            <translation>以病人為單位時：每步重新抽取這麼多張該病人的影像計算梯度</translation>
        </message>
        <message>
            <source>phantoms: synthetic images that show no patient</source>
            <translation>合成假影像（phantom）：不含任何病人</translation>
        </message>
        <message>
            <source>pictures with labels, when cnn is not enough; model.width = 0.5 makes it 3.5 times faster</source>
            <translation>有標籤的平面影像，cnn 不夠用時；model.width = 0.5 可快 3.5 倍</translation>
        </message>
        <message>
            <source>pictures: PNG, JPEG, TIFF, BMP, DICOM or NIfTI</source>
            <translation>平面影像：PNG、JPEG、TIFF、BMP、DICOM 或 NIfTI</translation>
        </message>
        <message>
            <source>pneumoniamnist.npz</source>
            <translation>pneumoniamnist.npz</translation>
        </message>
        <message>
            <source>predictions.csv is absent: ROC and precision-recall curves cannot be drawn.</source>
            <translation>缺少 predictions.csv：無法繪製 ROC 與精確率–召回率曲線。</translation>
        </message>
        <message>
            <source>pretrained networks with batch norm, where sites lack classes</source>
            <translation>含批次正規化的預訓練網路，且院所缺少某些類別</translation>
        </message>
        <message>
            <source>pretrained networks: name the layers to train, the others stay as they are</source>
            <translation>預訓練網路：指定要訓練的層，其餘保持不變</translation>
        </message>
        <message>
            <source>pretrained weights, and hospitals that see alike patients</source>
            <translation>預訓練權重，且各醫院的病人相近</translation>
        </message>
        <message>
            <source>probabilities must be right, not only the class</source>
            <translation>不只類別，機率也必須正確</translation>
        </message>
        <message>
            <source>probabilities need calibration</source>
            <translation>機率需要校準</translation>
        </message>
        <message>
            <source>quality, and time: a gradient for each patient</source>
            <translation>品質與時間：須為每位病人計算梯度</translation>
        </message>
        <message>
            <source>rare classes drown in easy images; set focal_gamma</source>
            <translation>罕見類別被容易的影像淹沒；請設定 focal_gamma</translation>
        </message>
        <message>
            <source>rare classes matter as much as frequent ones</source>
            <translation>罕見類別與常見類別同等重要</translation>
        </message>
        <message>
            <source>recall</source>
            <translation>召回率</translation>
        </message>
        <message>
            <source>rounds are steps: with fedmuon or fedadam few do, with fedavg many more</source>
            <translation>一回合即一步：搭配 fedmuon 或 fedadam 只需少數回合，搭配 fedavg 則需多得多</translation>
        </message>
        <message>
            <source>rounds at most</source>
            <translation>最多回合數</translation>
        </message>
        <message>
            <source>rounds between evaluations on validation images; the last round is always evaluated</source>
            <translation>每隔幾回合以驗證影像評估；最後一回合必定評估</translation>
        </message>
        <message>
            <source>running now</source>
            <translation>執行中</translation>
        </message>
        <message>
            <source>scanners differ (feature shift); networks with batch norm</source>
            <translation>掃描儀不同（特徵偏移）；含批次正規化的網路</translation>
        </message>
        <message>
            <source>scanners differ in brightness and contrast</source>
            <translation>各掃描儀亮度與對比不同</translation>
        </message>
        <message>
            <source>scanners differ in more than that, e.g. in gamma</source>
            <translation>掃描儀的差異不只如此，例如 gamma</translation>
        </message>
        <message>
            <source>secure aggregation: the server sees the masked sum of at least three sites and no single update</source>
            <translation>安全聚合：伺服器只看到至少三個院所加遮罩後的總和，看不到單一更新</translation>
        </message>
        <message>
            <source>sensitivity</source>
            <translation>敏感度</translation>
        </message>
        <message>
            <source>several findings an image</source>
            <translation>每張影像多種徵象</translation>
        </message>
        <message>
            <source>share a patient with training</source>
            <translation>與訓練集有相同病人</translation>
        </message>
        <message>
            <source>share of a label that is spread over all classes; 0.05 makes probabilities less sure of themselves</source>
            <translation>將標籤的此比例分散到所有類別；0.05 可降低機率的過度自信</translation>
        </message>
        <message>
            <source>share of all images named correctly</source>
            <translation>判定正確的影像比例</translation>
        </message>
        <message>
            <source>share of height and width, uniform in plus or minus this</source>
            <translation>長寬的比例，在正負此值間均勻變化</translation>
        </message>
        <message>
            <source>share of images named correctly in each class, averaged over the classes: a rare class counts as much as a common one</source>
            <translation>各類別中判定正確的比例，再對類別取平均：罕見類別與常見類別同等計算</translation>
        </message>
        <message>
            <source>share of images with the finding that the model finds</source>
            <translation>有徵象的影像中，模型找出的比例</translation>
        </message>
        <message>
            <source>share of images without the finding that the model clears</source>
            <translation>無徵象的影像中，模型排除的比例</translation>
        </message>
        <message>
            <source>share of sites asked each round</source>
            <translation>每回合邀請的院所比例</translation>
        </message>
        <message>
            <source>share of the rounds in which the rate rises linearly</source>
            <translation>學習率線性上升的回合比例</translation>
        </message>
        <message>
            <source>share of this class's images named correctly</source>
            <translation>此類別影像判定正確的比例</translation>
        </message>
        <message>
            <source>short runs, or rounds whose number is not known before</source>
            <translation>短的執行，或事先不知道回合數</translation>
        </message>
        <message>
            <source>sites hold classes in different numbers: rare ones get a larger margin</source>
            <translation>各院所類別數量不同：罕見類別給予較大的邊界</translation>
        </message>
        <message>
            <source>sites hold other mixtures than the whole: each learns as if it were even</source>
            <translation>各院所組成與整體不同：各自以均等組成的方式學習</translation>
        </message>
        <message>
            <source>sites lack classes: absent ones are pushed down less</source>
            <translation>院所缺少某些類別：減少對缺席類別的壓抑</translation>
        </message>
        <message>
            <source>sites of very different size take different numbers of steps (plain SGD)</source>
            <translation>院所規模差異大，走的步數不同（單純 SGD）</translation>
        </message>
        <message>
            <source>sites see like mixtures of classes</source>
            <translation>各院所類別組成相近</translation>
        </message>
        <message>
            <source>sites tell exact counts of each class</source>
            <translation>院所會透露各類別的確切數量</translation>
        </message>
        <message>
            <source>small gradients where the model is wrong</source>
            <translation>模型錯誤處梯度偏小</translation>
        </message>
        <message>
            <source>small sites that learn their images by heart</source>
            <translation>小院所容易死記影像</translation>
        </message>
        <message>
            <source>some sites may be malicious or broken: the first to try, also where sites' images differ</source>
            <translation>部分院所可能惡意或故障：最先嘗試，各院所影像不同時也適用</translation>
        </message>
        <message>
            <source>somewhat different</source>
            <translation>略有不同</translation>
        </message>
        <message>
            <source>specificity</source>
            <translation>特異度</translation>
        </message>
        <message>
            <source>standard deviation of the noise by clip_norm; none: the least with which all rounds fit into epsilon</source>
            <translation>雜訊標準差除以 clip_norm；無：使所有回合不超過 epsilon 的最小值</translation>
        </message>
        <message>
            <source>system</source>
            <translation>系統</translation>
        </message>
        <message>
            <source>test images dropped</source>
            <translation>捨棄的測試影像</translation>
        </message>
        <message>
            <source>the attack failed here, and worked on the planted victim</source>
            <translation>攻擊在此失敗，但對預設的受害對象成功</translation>
        </message>
        <message>
            <source>the attack worked</source>
            <translation>攻擊成功</translation>
        </message>
        <message>
            <source>the file is empty (0 bytes)</source>
            <translation>檔案是空的（0 位元組）</translation>
        </message>
        <message>
            <source>the file is missing, or the system does not allow reading it</source>
            <translation>檔案不存在，或系統不允許讀取</translation>
        </message>
        <message>
            <source>the global model jumps from round to round near the end</source>
            <translation>接近尾聲時全域模型在回合間跳動</translation>
        </message>
        <message>
            <source>the global model shall serve all patients alike</source>
            <translation>全域模型應同等服務所有病人</translation>
        </message>
        <message>
            <source>the hospitals train one model together; images stay where they are</source>
            <translation>各醫院共同訓練一個模型；影像留在原處</translation>
        </message>
        <message>
            <source>the hospitals' own models asked together: the mean of their probabilities, by training images</source>
            <translation>合併各醫院自己的模型：依訓練影像數加權平均其機率</translation>
        </message>
        <message>
            <source>the mean, which one malicious hospital can move at will</source>
            <translation>平均法，一家惡意醫院即可任意左右</translation>
        </message>
        <message>
            <source>the model must not tell whether a patient took part</source>
            <translation>模型不得洩漏某位病人是否參與</translation>
        </message>
        <message>
            <source>the model must serve any mixture of the hospitals; few sites</source>
            <translation>模型必須適用於各醫院的任何組合；院所少</translation>
        </message>
        <message>
            <source>the number of rounds is fixed: the last ones are small steps</source>
            <translation>回合數固定：最後幾回合步幅小</translation>
        </message>
        <message>
            <source>the plainest personal model, which the others must beat; set after</source>
            <translation>最簡單的專屬模型，其他方法必須勝過它；請設定 after</translation>
        </message>
        <message>
            <source>the same patient</source>
            <translation>同一病人</translation>
        </message>
        <message>
            <source>the same pixels</source>
            <translation>相同像素</translation>
        </message>
        <message>
            <source>the worst hospital matters: those with larger losses count for more; set q</source>
            <translation>重視最差的醫院：損失較大者計權較重；請設定 q</translation>
        </message>
        <message>
            <source>there is no network that has learnt on like images, or training shall begin from nothing</source>
            <translation>沒有在類似影像上訓練過的網路，或希望從頭訓練</translation>
        </message>
        <message>
            <source>to compare with: one site's update is taken</source>
            <translation>供比較之用：只取一個院所的更新</translation>
        </message>
        <message>
            <source>too early an end leaves it half done</source>
            <translation>太早結束會半途而廢</translation>
        </message>
        <message>
            <source>too few images</source>
            <translation>影像太少</translation>
        </message>
        <message>
            <source>top-k: share of the numbers that are sent</source>
            <translation>top-k：傳送的數值比例</translation>
        </message>
        <message>
            <source>torch threads</source>
            <translation>torch 執行緒</translation>
        </message>
        <message>
            <source>train/, val/ and test/</source>
            <translation>train/、val/ 與 test/</translation>
        </message>
        <message>
            <source>training</source>
            <translation>訓練</translation>
        </message>
        <message>
            <source>two models and a few matrix products at the server</source>
            <translation>伺服器保存兩個模型並計算數次矩陣乘法</translation>
        </message>
        <message>
            <source>two models at the server</source>
            <translation>伺服器保存兩個模型</translation>
        </message>
        <message>
            <source>two models each way; a model at each site and at the server</source>
            <translation>雙向各傳兩個模型；各院所與伺服器各保存一個模型</translation>
        </message>
        <message>
            <source>two more forward passes a step; a model at each site</source>
            <translation>每步多兩次前向計算；各院所保存一個模型</translation>
        </message>
        <message>
            <source>two more models' memory at a site</source>
            <translation>院所多用兩個模型的記憶體</translation>
        </message>
        <message>
            <source>two more numbers to choose</source>
            <translation>多兩個數值要選</translation>
        </message>
        <message>
            <source>two numbers of each site, once</source>
            <translation>每院所一次性提供兩個數值</translation>
        </message>
        <message>
            <source>unfinished</source>
            <translation>未完成</translation>
        </message>
        <message>
            <source>uniform in 1 plus or minus this</source>
            <translation>在 1 加減此值間均勻變化</translation>
        </message>
        <message>
            <source>unknown</source>
            <translation>未知</translation>
        </message>
        <message>
            <source>unreadable</source>
            <translation>無法讀取</translation>
        </message>
        <message>
            <source>used</source>
            <translation>使用</translation>
        </message>
        <message>
            <source>validation</source>
            <translation>驗證</translation>
        </message>
        <message>
            <source>validation images dropped</source>
            <translation>捨棄的驗證影像</translation>
        </message>
        <message>
            <source>very different</source>
            <translation>非常不同</translation>
        </message>
        <message>
            <source>volume error</source>
            <translation>體積誤差</translation>
        </message>
        <message>
            <source>volumes: NIfTI (.nii, .nii.gz) or DICOM of several frames (.dcm)</source>
            <translation>立體影像：NIfTI（.nii、.nii.gz）或多影格 DICOM（.dcm）</translation>
        </message>
        <message>
            <source>wardround</source>
            <translation>wardround</translation>
        </message>
        <message>
            <source>what training makes small</source>
            <translation>訓練所要縮小的值</translation>
        </message>
        <message>
            <source>whoever controls that site controls the model</source>
            <translation>誰控制該院所，誰就控制模型</translation>
        </message>
        <message>
            <source>worse</source>
            <translation>較差</translation>
        </message>
        <message>
            <source>yes</source>
            <translation>是</translation>
        </message>
    </context>
</TS>
